// What servers and folders answer: raw HTTP to the writer's store and to the reader, XML, and the files of a folder bucket.

import { createServer, type Socket } from "node:net";
import { deriveKeys, encodeConfigBlob, sealBundle, sealManifest, VSyncError } from "@vsync/envelope";
import { openStore, StoreError } from "@vsync/store";
import {
  decodeFolderHeader,
  decodeFolderObject,
  encodeFolderHeader,
  keyToNames,
  MAX_FOLDER_HEADER,
  nameToPart,
} from "@vsync/store/folder-object";
import fc from "fast-check";
import { openWith } from "../../../../s3-client/src/index.ts";
import { readListing } from "../../../../store/src/s3-listing.ts";
import { bytes, endsIn, must, same, type Target, text } from "../target.ts";

/** Said by whoever is asked; `serve` decides for each request. */
let serve: (head: string) => Uint8Array = () => new Uint8Array(0);
let port: Promise<number> | undefined;

/** A server on loopback that ends each connection after its answer. */
function listen(): Promise<number> {
  port ??= new Promise((resolve) => {
    const server = createServer((socket: Socket) => {
      let head = "";
      socket.on("error", () => undefined);
      socket.on("data", (chunk) => {
        head += chunk.toString("latin1");
        if (head.includes("\r\n\r\n") && !socket.writableEnded) socket.end(serve(head));
      });
    });
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
    server.unref();
  });
  return port;
}

function answer(status: string, headers: Readonly<Record<string, string>>, body = ""): Uint8Array {
  const lines = Object.entries({ ...headers, "content-length": String(Buffer.byteLength(body)) });
  return bytes(
    `HTTP/1.1 ${status}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`,
  );
}

const xmlError = (code: string, more = ""): string =>
  `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>some words</Message>${more}</Error>`;
const listing = (contents: string, more = "<IsTruncated>false</IsTruncated>"): string =>
  `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><EncodingType>url</EncodingType>${more}${contents}</ListBucketResult>`;
const contents = (key: string): string =>
  `<Contents><Key>${key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;0&quot;</ETag><Size>15</Size></Contents>`;
const DATE = { date: "Fri, 02 Jan 2026 03:04:05 GMT" };

const ANSWERS = [
  answer(
    "200 OK",
    { etag: '"0123"', "x-amz-meta-gen": "3", "last-modified": DATE.date, ...DATE },
    "20260102-030405",
  ),
  answer(
    "200 OK",
    { etag: 'W/"0"', "content-type": "application/xml" },
    listing(contents("p/v%3D1") + contents("p/a+b")),
  ),
  answer(
    "200 OK",
    { etag: '"0"' },
    listing(
      contents("p/x"),
      "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>",
    ),
  ),
  answer("200 OK", { etag: '"0"' }, xmlError("InternalError")),
  answer("204 No Content", {}),
  answer(
    "301 Moved",
    { "x-amz-bucket-region": "eu-2", location: "http://127.0.0.1:1/" },
    xmlError("PermanentRedirect", "<Endpoint>b.s3.example</Endpoint><Region>eu-2</Region>"),
  ),
  answer("400 Bad Request", {}, xmlError("AuthorizationHeaderMalformed", "<Region>eu-2</Region>")),
  answer("403 Forbidden", DATE, xmlError("RequestTimeTooSkewed")),
  answer("404 Not Found", {}, xmlError("NoSuchKey")),
  answer("404 Not Found", {}, "<html>not found</html>"),
  answer("409 Conflict", {}, xmlError("ConditionalRequestConflict")),
  answer("412 Precondition Failed", {}, xmlError("PreconditionFailed")),
  answer("503 Slow Down", { "retry-after": "120" }, xmlError("SlowDown")),
];
const WORDS = [
  "\r\n",
  "\r\n\r\n",
  "HTTP/1.1 ",
  "200",
  "204",
  "206",
  "304",
  "403",
  "404",
  "412",
  "101",
  "content-length: ",
  "transfer-encoding: chunked\r\n",
  "content-encoding: gzip\r\n",
  "etag: ",
  "x-amz-meta-gen: ",
  "x-amz-meta-__proto__: x\r\n",
  "<Error>",
  "<Code>",
  "</Code>",
  "<Key>",
  "</Contents>",
  "<![CDATA[",
  "]]>",
  '<!DOCTYPE a [<!ENTITY b "c">]>',
  "&b;",
  "&#x0;",
  "&#1114112;",
  "<?xml",
  "%ZZ",
  "%00",
  "<IsTruncated>true</IsTruncated>",
];

/** The length that is declared made true: else most of what is damaged would only be cut short. */
function truthful(http: Uint8Array): Uint8Array {
  const raw = Buffer.from(http).toString("latin1");
  const at = raw.indexOf("\r\n\r\n");
  if (at < 0) return http;
  const head = raw.slice(0, at).replace(/content-length: \d*/, `content-length: ${raw.length - at - 4}`);
  return Buffer.from(head + raw.slice(at), "latin1");
}

/** The first byte says what is asked, the rest is what comes back. */
const asked = (list: readonly Uint8Array[], questions: number): Uint8Array[] =>
  list.flatMap((http, i) =>
    [i % questions, (i + 1) % questions].map((question) => Buffer.concat([Uint8Array.of(question), http])),
  );

async function ask(input: Uint8Array): Promise<string> {
  const http = truthful(input.subarray(1));
  serve = () => http;
  const endpoint = `http://127.0.0.1:${await listen()}`;
  const store = await openStore(
    { endpoint, region: "eu-1", bucket: "bucket", accessKeyId: "AK", secretAccessKey: "SK" },
    { env: {} },
  );
  // What may be sent again is, after a pause; so reads are asked only where the answer will do.
  const whole = /^HTTP\/1\.[01] (?!429)[2-4]\d\d[ \r][\s\S]*\r\ncontent-length: \d+\r\n[\s\S]*\r\n\r\n/;
  const again = !whole.test(Buffer.from(http).toString("latin1")) || /\r\ntransfer-/i.test(text(http));
  try {
    switch (again ? 4 : (input[0] ?? 0) % 5) {
      case 0: {
        const found = await store.get("p/manifest", { maxBytes: 1 << 20 });
        return found === null ? "get: none" : `get: ${Object.keys(found.metadata).length}`;
      }
      case 1:
        return `head: ${(await store.head("p/manifest")) === null ? "none" : "there"}`;
      case 2: {
        let keys = 0;
        for await (const { key, size } of store.list("p/")) {
          must(
            key.startsWith("p/") && Number.isFinite(size),
            `a listing has ${JSON.stringify(key)} of ${size} bytes`,
          );
          if (++keys > 10_000) return "list: very many";
        }
        return `list: ${Math.min(keys, 3)}`;
      }
      case 3:
        await store.putIfMatch("p/manifest", bytes("x"), "0123");
        return "put if match";
      default:
        await store.putIfAbsent("p/manifest", bytes("x"));
        return "put if absent";
    }
  } finally {
    await store.close();
  }
}

const PASSPHRASE = "correct horse battery staple";
const PLACE = {
  region: "eu-1",
  bucket: "b",
  accessKeyId: "AK",
  secretAccessKey: "SK",
  prefix: "p/",
  env: "prod",
};
const KDF = { salt: "c2FsdHNhbHRzYWx0c2FsdHNh", iterations: 100_000 };
const TIMESTAMP = "20260102-030405";

interface Served {
  readonly config: string;
  readonly manifest: Uint8Array;
  readonly bundle: Uint8Array;
}
let served: Promise<Served> | undefined;

/** A vault as a server would answer for it. */
async function makeServed(): Promise<Served> {
  const keys = await deriveKeys(PASSPHRASE, KDF.salt, KDF.iterations);
  const files = new Map([[".env.prod", { bytes: bytes("A=1\n"), executable: false }]]);
  const { bytes: bundle, sha256 } = await sealBundle(keys, TIMESTAMP, files);
  const fields = { timestamp: TIMESTAMP, generation: 3, sha256, writeId: "0".repeat(32) };
  const { metadata } = await sealManifest(keys, PLACE.prefix, fields);
  const headers = Object.entries(metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]);
  const endpoint = `http://127.0.0.1:${await listen()}`;
  return {
    config: await encodeConfigBlob({ endpoint, ...PLACE, ...KDF }),
    manifest: answer("200 OK", Object.fromEntries(headers), TIMESTAMP),
    bundle: Buffer.concat([bytes(`HTTP/1.1 200 OK\r\ncontent-length: ${bundle.length}\r\n\r\n`), bundle]),
  };
}

async function open(input: Uint8Array): Promise<string> {
  served ??= makeServed();
  const { config, manifest, bundle } = await served;
  // The manifest, the bundle, or what a HEAD of the manifest says later.
  const question = (input[0] ?? 0) % 3;
  serve = (head) => {
    const turn = /^HEAD /.test(head) ? 2 : /^GET \S*manifest /.test(head) ? 0 : 1;
    if (turn === question) return truthful(input.subarray(1));
    return turn === 1 ? bundle : manifest;
  };
  const vault = await openWith({ config, passphrase: PASSPHRASE });
  try {
    return `opens ${vault.generation()}, ${question === 2 ? await vault.remoteGeneration() : "not asked"}`;
  } finally {
    await vault.close();
  }
}

const objectFile = (body: string, metadata: Record<string, string>): Uint8Array =>
  Buffer.concat([encodeFolderHeader(bytes(body), metadata), bytes(body)]);

export const SERVERS: readonly Target[] = [
  {
    name: "S3 server, asked by the writer",
    inputs: { inner: asked(ANSWERS, 5), words: WORDS },
    // A body's declared length is allocated at once, up to what was asked for.
    memory: (length) => 64 * length + 32 * 2 ** 20,
    feed: (input) => endsIn([StoreError], () => ask(input)),
  },
  {
    name: "listing of a bucket",
    inputs: {
      inner: [
        listing(contents("p/v%3D1") + contents("p/a+b")),
        listing(contents("p/%C3%A9&amp;&#65;&#x41;").replace("url", "")),
        listing("", "<IsTruncated>true</IsTruncated><NextContinuationToken>t&lt;</NextContinuationToken>"),
        xmlError("InternalError"),
      ].map(bytes),
      words: [
        ...WORDS,
        "&lt;",
        "&#38;",
        "&#x10ffff;",
        "&",
        "%",
        "%C3",
        "+",
        "<Key/>",
        "<![CDATA[",
        "</ListBucketResult>",
      ],
    },
    feed: (input) => {
      const read = readListing(input, "p/");
      if (read === null) return "no listing";
      const again = read.objects.map(
        ({ key, size }) => `<Contents><Key>${encodeURIComponent(key)}</Key><Size>${size}</Size></Contents>`,
      );
      const reread = readListing(bytes(listing(again.join(""))), "p/");
      const plain = ({ key, size }: { key: string; size: number }) => ({ key, size });
      // What is no Unicode text has no spelling in a URL.
      if (read.objects.every(({ key }) => !/\p{Surrogate}/u.test(key)))
        must(
          JSON.stringify(reread?.objects.map(plain)) === JSON.stringify(read.objects.map(plain)),
          "another listing",
        );
      return `${read.objects.length} objects, ${read.next === undefined ? "the end" : "more"}`;
    },
  },
  {
    name: "S3 server, asked by the reader",
    inputs: {
      inner: asked(
        [
          ...ANSWERS,
          answer(
            "200 OK",
            {
              "x-amz-meta-gen": "3",
              "x-amz-meta-seal": "A".repeat(43),
              "x-amz-meta-grace": "20260101-000000.1.",
            },
            " 20260102-030405\n",
          ),
        ],
        3,
      ),
      words: WORDS,
    },
    // As for the writer; a bundle may have 256 MiB.
    memory: (length) => 64 * length + 256 * 2 ** 20,
    feed: (input) => endsIn([VSyncError], () => open(input)),
  },
  {
    name: "object in a folder",
    inputs: {
      inner: [
        objectFile("20260102-030405", { gen: "3", seal: "x" }),
        objectFile("", {}),
        objectFile("a\nb\n", { "write-id": "00" }),
      ],
      words: ["\n", '"metadata":{', '"size":', '"sha256":"', "}", '"__proto__":"x"', "null", "1e3"],
    },
    feed: (input) => {
      const decoded = decodeFolderObject(input);
      const header = decodeFolderHeader(input.subarray(0, MAX_FOLDER_HEADER));
      if ("damage" in decoded) return decoded.damage.replace(/\d+/g, "*");
      must(!("damage" in header) && header.size === decoded.body.length, "the header alone reads otherwise");
      must(same(input.subarray(input.length - decoded.body.length), decoded.body), "another body");
      return `an object with ${Object.keys(decoded.metadata).length}`;
    },
  },
  {
    name: "key in a folder",
    inputs: {
      inner: ["shop/prod/v=20260102-030405", "a b", "..", "%2E%2E", "%2e", "é", "a%20b", "A".repeat(255)].map(
        bytes,
      ),
      made: fc.string({ unit: "binary", maxLength: 40 }).map(bytes),
      words: ["/", "%", "%2E", ".", "..", "%2F", "%00", "\\", "\ud83d\udd11"],
      maxBytes: 4096,
    },
    feed: (input) => {
      const given = text(input);
      const names = keyToNames(given);
      if (names !== null) {
        must(
          names.every((name) => !/[/\\\0]/.test(name) && name !== "" && !/^\.+$/.test(name)),
          "a key that leaves its folder",
        );
        must(names.map(nameToPart).join("/") === given, "a key that does not come back");
      }
      const part = nameToPart(given);
      must(part === null || keyToNames(part)?.join("/") === given, "two names for one key");
      return `${names === null} ${part === null}`;
    },
  },
];
