// The reader's public surface as one list of cases for every runtime: plain JavaScript that imports nothing, so that the
// same file runs in a process, in a worker and in a page.

/**
 * What a case needs to know: `blobs` and `passphrase` lead to the vaults of loopback-vaults.ts, `seen` is a URL that tells
 * which requests came since it was last asked, `traits` say what kind of runtime this is.
 */

/** 1 MiB that no compression shrinks and no text encoding survives. */
export function noise() {
  const bytes = new Uint8Array(1024 * 1024);
  let state = 0x2545f491;
  for (let i = 0; i < bytes.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

/** Stands in every secret place of the vaults, to be looked for where it must not be. */
export const CANARY = "canary-5f1c";

export const FILES = {
  ".env.prod": `DATABASE_URL=postgres://${CANARY}@db\nEMPTY=\nLINES="one\ntwo"\n__proto__=ordinary\n`,
  "tls/server.crt": "-----BEGIN CERTIFICATE-----\n",
  "größe/ключ.txt": `ünïcödé 🔑 ${CANARY}`,
  "noise.bin": noise(),
};

export const CASES = [
  {
    // The first one: `seen` fetches, which loads it.
    name: "an opening loads no HTTP client but the one that it uses",
    only: "node",
    async run({ open }) {
      await using(await open("plain"), () => {
        const loaded = globalThis.process.moduleLoadList ?? [];
        equal(
          loaded.filter((name) => /undici/.test(name)),
          [],
        );
      });
    },
  },
  {
    name: "values, where they come from, and what is missing",
    async run({ open }) {
      await using(await open("plain", { defaults: { ONLY_DEFAULT: "d", DATABASE_URL: "d" } }), (vault) => {
        const ask = (key) => [vault.getEnv(key), vault.envSource(key), vault.hasEnv(key)];
        equal(ask("DATABASE_URL"), [`postgres://${CANARY}@db`, "vault", true]);
        equal(ask("EMPTY"), ["", "vault", true]);
        equal(ask("LINES"), ["one\ntwo", "vault", true]);
        equal(ask("__proto__"), ["ordinary", "vault", true]);
        equal(ask("ONLY_DEFAULT"), ["d", "default", true]);
        equal(ask("constructor"), [null, "missing", false]);
      });
    },
  },
  {
    name: "contents, byte for byte, as copies",
    async run({ open, reader }) {
      await using(await open("plain"), (vault) => {
        for (const [name, content] of Object.entries(FILES)) {
          const expected = typeof content === "string" ? new TextEncoder().encode(content) : content;
          sameBytes(vault.getAsContent(name), expected, name);
        }
        vault.getAsContent("noise.bin").fill(0);
        sameBytes(vault.getAsContent("noise.bin"), noise(), "the content after a copy of it was overwritten");
        sameBytes(vault.getAsContent("LINES"), new TextEncoder().encode("one\ntwo"), "a value as content");
        throwsCode(() => vault.getAsContent("/noise.bin"), reader.VSyncError, "VSYNC_CONTENT_NOT_FOUND");
      });
    },
  },
  {
    name: "two requests open a vault, one HEAD each polls it",
    async run({ open, seen }) {
      await seen();
      await using(await open("plain"), async (vault) => {
        equal(await seen(), [
          "GET /test-bucket/app/prod/manifest",
          "GET /test-bucket/app/prod/v%3D20260102-030405",
        ]);
        equal(vault.generation(), 3);
        equal(await vault.remoteGeneration(), 3);
        equal(await seen(), ["HEAD /test-bucket/app/prod/manifest"]);
        equal(await vault.hasNewVersion(), false);
        equal(await seen(), ["HEAD /test-bucket/app/prod/manifest"]);
      });
    },
  },
  {
    name: "a newer generation in the bucket is noticed, and changes nothing",
    async run({ open }) {
      await using(await open("pushedSince"), async (vault) => {
        equal(await vault.remoteGeneration(), 4);
        equal(await vault.hasNewVersion(), true);
        equal(vault.generation(), 3);
      });
    },
  },
  {
    name: "600,000 iterations, the default of `vsync init`",
    async run({ open }) {
      await using(await open("strong"), (vault) => equal(vault.getEnv("EMPTY"), ""));
    },
  },
  {
    name: "a wrong passphrase",
    async run({ open, reader }) {
      const error = await rejects(
        open("plain", { passphrase: `${CANARY} and wrong` }),
        reader.WrongPassphraseError,
        "VSYNC_WRONG_PASSPHRASE",
      );
      hasNoCanary(errorText(error));
    },
  },
  {
    name: "a damaged bundle",
    async run({ open, reader }) {
      const error = await rejects(open("damaged"), reader.BundleCorruptError, "VSYNC_BUNDLE_CORRUPT");
      hasNoCanary(errorText(error));
    },
  },
  {
    name: "a damaged VSYNC_CONFIG, and none",
    async run({ reader, job }) {
      const { passphrase, blobs } = job;
      const cut = { config: blobs.plain.slice(0, -9), passphrase };
      await rejects(reader.openWith(cut), reader.BundleCorruptError, "VSYNC_BUNDLE_CORRUPT");
      const none = { config: undefined, passphrase };
      await rejects(reader.openWith(none), reader.ConfigMissingError, "VSYNC_CONFIG_MISSING");
    },
  },
  {
    name: "a prefix that nothing was pushed to",
    async run({ open, reader }) {
      await rejects(open("unpushed"), reader.ManifestNotFoundError, "VSYNC_MANIFEST_NOT_FOUND");
    },
  },
  {
    name: "a server that is not there, and one that says no",
    async run({ open, reader }) {
      await rejects(open("nowhere"), reader.S3UnreachableError, "VSYNC_S3_UNREACHABLE");
      await rejects(
        open("forbidden"),
        reader.S3UnreachableError,
        "VSYNC_S3_UNREACHABLE",
        /permission|may not|policy/,
      );
    },
  },
  {
    name: "an answer that breaks off is never taken for a whole one",
    async run({ open, reader, seen }) {
      await seen();
      await rejects(open("cut"), reader.S3UnreachableError, "VSYNC_S3_UNREACHABLE");
      equal(await seen(), [
        "GET /cutting-bucket/app/prod/manifest",
        "GET /cutting-bucket/app/prod/v%3D20260102-030405",
      ]);
    },
  },
  {
    name: "a redirect is not followed",
    async run({ open, reader, seen }) {
      await seen();
      await rejects(open("redirected"), reader.S3UnreachableError, "VSYNC_S3_UNREACHABLE");
      equal(await seen(), ["GET /redirecting-bucket/app/prod/manifest"]);
    },
  },
  {
    name: "silence ends at timeoutMs, and at the caller's signal",
    async run({ open, reader }) {
      const late = open("silent", { timeoutMs: 150 });
      await rejects(late, reader.S3UnreachableError, "VSYNC_S3_UNREACHABLE", /150 ms/);
      const controller = new AbortController();
      const cancelled = open("silent", { signal: controller.signal });
      controller.abort(new Error("enough"));
      const error = await rejects(cancelled, reader.S3UnreachableError, "VSYNC_S3_UNREACHABLE");
      equal(error.cause?.message, "enough");
    },
  },
  {
    name: "a handle shows nothing of itself",
    async run({ open }) {
      await using(await open("plain"), (vault) => {
        const shown = "<vsync:redacted>";
        equal([JSON.stringify({ vault }), String(vault), `${vault}`], [`{"vault":"${shown}"}`, shown, shown]);
        equal(Object.keys(vault), []);
        hasNoCanary(JSON.stringify(structuredClone(vault)));
        for (const symbol of ["nodejs.util.inspect.custom", "Deno.customInspect"]) {
          const inspect = vault[Symbol.for(symbol)];
          if (inspect !== undefined) equal(inspect.call(vault), shown);
        }
      });
    },
  },
  {
    name: "what the runtime's own inspect prints of a handle",
    only: "node",
    async run({ open }) {
      const { inspect } = await import("node:util");
      await using(await open("plain"), (vault) => {
        hasNoCanary(inspect({ nested: [vault] }, { depth: 9, showHidden: true }));
        equal(inspect(vault), "<vsync:redacted>");
        const own = globalThis.Bun?.inspect ?? globalThis.Deno?.inspect;
        if (own !== undefined) equal(own(vault), "<vsync:redacted>");
      });
    },
  },
  {
    name: "closed is closed, and may be closed again",
    async run({ open, reader }) {
      const vault = await open("plain");
      await vault.close();
      await vault.close();
      for (const use of [
        () => vault.getEnv("EMPTY"),
        () => vault.getAsContent("noise.bin"),
        vault.generation.bind(vault),
      ]) {
        throwsCode(use, reader.VSyncError, "VSYNC_CLOSED");
      }
      await rejects(vault.remoteGeneration(), reader.VSyncError, "VSYNC_CLOSED");
    },
  },
  {
    name: "`open` takes its inputs from the environment",
    only: "node",
    async run({ reader, job }) {
      const { env } = globalThis.process;
      await rejects(
        reader.open(),
        reader.ConfigMissingError,
        "VSYNC_CONFIG_MISSING",
        /VSYNC_CONFIG is set|VSYNC_CONFIG nor/,
      );
      env.VSYNC_CONFIG = job.blobs.plain;
      env.VSYNC_PASSPHRASE = job.passphrase;
      env.ONLY_IN_ENV = "e";
      await using(await reader.open(), (vault) => {
        equal([vault.getEnv("EMPTY"), vault.envSource("ONLY_IN_ENV")], ["", "env"]);
      });
      equal(await reader.getEnv("LINES"), "one\ntwo");
    },
  },
  {
    name: "`open` where there is no environment points to openWith",
    only: "web",
    async run({ reader }) {
      await rejects(reader.open(), reader.ConfigMissingError, "VSYNC_CONFIG_MISSING", /openWith/);
    },
  },
  {
    name: "a derivation that the runtime refuses, as Workers do above 100,000 iterations",
    only: "web",
    async run({ open, reader }) {
      const subtle = Object.getPrototypeOf(crypto.subtle);
      const { deriveBits } = subtle;
      let refused = 0;
      subtle.deriveBits = function (algorithm, ...rest) {
        if (algorithm.name === "PBKDF2" && algorithm.iterations > 100_000) {
          refused++;
          throw new DOMException(
            "iteration counts above 100000 are not supported (requested 600000).",
            "NotSupportedError",
          );
        }
        return deriveBits.call(this, algorithm, ...rest);
      };
      try {
        await rejects(
          open("strong"),
          reader.VSyncError,
          "VSYNC_KEY_DERIVATION_REFUSED",
          /vsync init --iterations 100000/,
        );
        equal(refused, 1);
        await using(await open("plain"), (vault) => equal(vault.getEnv("EMPTY"), ""));
      } finally {
        subtle.deriveBits = deriveBits;
      }
    },
  },
  {
    name: "metadata that the bucket's CORS rules hide is never taken for a manifest without a seal",
    only: "browser",
    async run({ open, reader }) {
      for (const blob of ["hidden", "hiddenWithoutMinGen"]) {
        await rejects(open(blob), reader.BundleCorruptError, "VSYNC_BUNDLE_CORRUPT", /CORS.*ExposeHeaders/);
      }
    },
  },
];

export function casesFor(traits) {
  return CASES.filter(({ only }) => only === undefined || traits.includes(only));
}

/** Runs the cases one after the other. By name: "passed", or what went wrong. */
export async function runSuite(reader, job) {
  const open = (blob, options) =>
    reader.openWith({ config: job.blobs[blob], passphrase: job.passphrase, ...options });
  const seen = async () => (await fetch(job.seen)).json();
  const results = {};
  for (const { name, run } of casesFor(job.traits)) {
    try {
      await run({ reader, job, open, seen });
      results[name] = "passed";
    } catch (error) {
      results[name] = errorText(error);
    }
  }
  return results;
}

async function using(vault, use) {
  try {
    await use(vault);
  } finally {
    await vault.close();
  }
}

function equal(actual, expected) {
  const [a, b] = [actual, expected].map((value) => JSON.stringify(value) ?? "undefined");
  if (a !== b) throw new Error(`expected ${b}, got ${a}`);
}

function sameBytes(actual, expected, what) {
  const same =
    actual instanceof Uint8Array &&
    actual.length === expected.length &&
    expected.every((byte, i) => byte === actual[i]);
  if (!same) throw new Error(`${what}: other bytes (${actual.length} instead of ${expected.length})`);
}

async function rejects(promise, type, code, message = /./) {
  const error = await promise.then(
    () => {
      throw new Error(`expected ${code}, and nothing was thrown`);
    },
    (thrown) => thrown,
  );
  return isError(error, type, code, message);
}

function throwsCode(use, type, code) {
  try {
    use();
  } catch (error) {
    return isError(error, type, code, /./);
  }
  throw new Error(`expected ${code}, and nothing was thrown`);
}

function isError(error, type, code, message) {
  if (error.constructor === type && error.code === code && message.test(error.message)) return error;
  throw new Error(
    `expected ${type.name} with ${code} and ${message}, got ${error.code}: ${errorText(error)}`,
  );
}

/** The whole chain of an error, as a log would have it. */
function errorText(error) {
  let text = "";
  for (let at = error; at instanceof Error; at = at.cause) text += `${at.name}: ${at.message}\n${at.stack}\n`;
  return text === "" ? String(error) : text;
}

function hasNoCanary(text) {
  if (text.includes(CANARY)) throw new Error(`a secret is shown: ${text}`);
}
