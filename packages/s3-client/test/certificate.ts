// X.509 certificates made on the spot: Node can read them but not make them, and openssl is not on every machine.

import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

export interface Certificate {
  /** PEM, as are all three. */
  readonly cert: string;
  readonly key: string;
  readonly privateKey: KeyObject;
  readonly name: string;
}

export interface CertificateOptions {
  readonly name: string;
  /** DNS names and IPv4 addresses that it is for. */
  readonly hosts?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Who signs it: itself unless given. */
  readonly issuer?: Certificate;
  readonly ca?: boolean;
}

const DAY_MS = 86_400_000;

export function makeCertificate(options: CertificateOptions): Certificate {
  const { name, hosts = [], issuer, ca = false } = options;
  const notBefore = options.notBefore ?? new Date(Date.now() - DAY_MS);
  const notAfter = options.notAfter ?? new Date(Date.now() + DAY_MS);
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signer = issuer?.privateKey ?? privateKey;
  const algorithm = sequence(objectId(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02)); // ecdsa-with-SHA256
  const serial = createHash("sha256").update(name).update(String(notAfter.getTime())).digest().subarray(0, 8);
  serial[0] = 0x01;
  const toBeSigned = sequence(
    tagged(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, serial),
    algorithm,
    commonName(issuer?.name ?? name),
    sequence(utcTime(notBefore), utcTime(notAfter)),
    commonName(name),
    publicKey.export({ type: "spki", format: "der" }),
    tagged(
      0xa3,
      sequence(...(ca ? [basicConstraints()] : []), ...(hosts.length > 0 ? [alternativeNames(hosts)] : [])),
    ),
  );
  const signature = sign("sha256", toBeSigned, signer);
  const certificate = sequence(toBeSigned, algorithm, der(0x03, Buffer.concat([Buffer.of(0), signature])));
  const base64 = certificate.toString("base64").replace(/.{64}/g, "$&\n");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    privateKey,
    name,
  };
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const header = length < 0x80 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(header), content]);
}

function sequence(...items: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(items));
}

function tagged(tag: number, content: Buffer): Buffer {
  return der(tag, content);
}

function objectId(...bytes: readonly number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

function commonName(name: string): Buffer {
  return sequence(der(0x31, sequence(objectId(0x55, 0x04, 0x03), der(0x0c, Buffer.from(name)))));
}

function utcTime(date: Date): Buffer {
  return der(
    0x17,
    Buffer.from(
      `${date
        .toISOString()
        .replace(/[-:T]|\.\d+/g, "")
        .slice(2)}`,
    ),
  );
}

function basicConstraints(): Buffer {
  const isCa = sequence(der(0x01, Buffer.of(0xff)));
  return sequence(objectId(0x55, 0x1d, 0x13), der(0x01, Buffer.of(0xff)), der(0x04, isCa));
}

function alternativeNames(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) => {
    const isAddress = /^[\d.]+$/.test(host);
    return der(
      isAddress ? 0x87 : 0x82,
      isAddress ? Buffer.from(host.split(".").map(Number)) : Buffer.from(host),
    );
  });
  return sequence(objectId(0x55, 0x1d, 0x11), der(0x04, sequence(...names)));
}
