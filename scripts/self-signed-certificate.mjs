// A self-signed X.509 certificate (RFC 5280) from node:crypto alone: Node can read certificates but not make them.

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** `{ certificate, privateKey }` in PEM: P-256, valid from yesterday for `days`, for the host names given. */
export function selfSignedCertificate(hosts, days = 30) {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const now = Date.now();
  const name = sequence(set(sequence(oid(COMMON_NAME), tlv(0x0c, Buffer.from(hosts[0])))));
  const algorithm = sequence(oid(ECDSA_WITH_SHA256));
  const hostNames = sequence(...hosts.map((host) => tlv(0x82, Buffer.from(host))));
  const body = sequence(
    tlv(0xa0, integer(Buffer.of(2))), // version 3
    integer(Buffer.concat([Buffer.of(1), randomBytes(15)])), // a leading 1: positive, and never padded
    algorithm,
    name,
    sequence(time(now - DAY), time(now + days * DAY)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    tlv(0xa3, sequence(sequence(oid(SUBJECT_ALT_NAME), tlv(0x04, hostNames)))),
  );
  const signature = tlv(0x03, Buffer.concat([Buffer.of(0), sign("sha256", body, privateKey)]));
  return {
    certificate: pem("CERTIFICATE", sequence(body, algorithm, signature)),
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }),
  };
}

const DAY = 24 * 60 * 60 * 1000;
// Object identifiers, already in DER.
const COMMON_NAME = "550403";
const SUBJECT_ALT_NAME = "551d11";
const ECDSA_WITH_SHA256 = "2a8648ce3d040302";

/** One DER value: tag, length in the shortest form, content. */
function tlv(tag, content) {
  const n = content.length;
  const length = n < 0x80 ? [n] : n < 0x100 ? [0x81, n] : [0x82, n >> 8, n & 0xff];
  return Buffer.concat([Buffer.of(tag, ...length), content]);
}

function sequence(...parts) {
  return tlv(0x30, Buffer.concat(parts));
}

function set(...parts) {
  return tlv(0x31, Buffer.concat(parts));
}

function integer(bytes) {
  return tlv(0x02, bytes);
}

function oid(hex) {
  return tlv(0x06, Buffer.from(hex, "hex"));
}

/** UTCTime, which RFC 5280 wants for dates before 2050. */
function time(ms) {
  const digits = new Date(ms).toISOString().replace(/[-:T]/g, "").slice(2, 14);
  return tlv(0x17, Buffer.from(`${digits}Z`));
}

function pem(label, der) {
  const lines = der.toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
