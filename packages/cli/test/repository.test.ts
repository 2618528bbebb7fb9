import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { bareEnvironment } from "../../../test/machine.ts";
import {
  checkEnvName,
  findRepository,
  normaliseName,
  parseOrigin,
  recordOrigin,
} from "../src/identity/repository.ts";
import { makeWorkplace } from "./workplace.ts";

describe("the root is", () => {
  test("the nearest parent with .vsync, before the git top level", () => {
    const { root, context } = makeWorkplace();
    const inner = join(root, "services/api/src");
    mkdirSync(inner, { recursive: true });
    writeFileSync(join(root, "services/api/.vsync"), "repo=api\n");
    const found = findRepository(context({ cwd: inner }).host);
    expect(found).toMatchObject({ root: join(root, "services/api"), name: "api", hasVsyncFile: true });
  });

  test("the git top level without .vsync", () => {
    const { root, context } = makeWorkplace();
    mkdirSync(join(root, "deep/inside"), { recursive: true });
    const found = findRepository(context({ cwd: join(root, "deep/inside") }).host);
    expect(found).toMatchObject({
      root,
      name: "acme_shop",
      hasVsyncFile: false,
      origin: "git.example/acme/shop",
    });
  });

  test("the current folder when there is neither and --repo names it", () => {
    const { root, context } = makeWorkplace(null);
    expect(findRepository(context().host, "Acme/Shop")).toEqual({
      root,
      name: "acme_shop",
      hasVsyncFile: false,
      origin: null,
    });
  });

  test("nowhere without any of these, and the error says both ways out", () => {
    const { context } = makeWorkplace(null);
    expect(() => findRepository(context().host)).toThrow(
      expect.objectContaining({ code: "INPUT", hint: expect.stringContaining("--repo <name>") }),
    );
  });

  test("nowhere without git, and the error says that it is git that is missing", () => {
    const { root, context } = makeWorkplace();
    expect(() => findRepository(context({ env: { PATH: join(root, "nothing") } }).host)).toThrow(
      expect.objectContaining({
        code: "INPUT",
        message: expect.stringContaining("git does not run here"),
        hint: expect.stringContaining("install git"),
      }),
    );
  });
});

describe("the name", () => {
  test("comes from .vsync before git's origin", () => {
    const { root, context } = makeWorkplace();
    writeFileSync(join(root, ".vsync"), "# vsync\r\nrepo=other\r\n");
    expect(findRepository(context().host).name).toBe("other");
  });

  test("comes from --repo where .vsync does not give another", () => {
    const { root, context } = makeWorkplace();
    expect(findRepository(context().host, "mine").name).toBe("mine");
    writeFileSync(join(root, ".vsync"), "repo=mine\n");
    expect(findRepository(context().host, "Mine").name).toBe("mine");
  });

  test("is an error when --repo contradicts .vsync", () => {
    const { root, context } = makeWorkplace();
    writeFileSync(join(root, ".vsync"), "repo=other\n");
    expect(() => findRepository(context().host, "mine")).toThrow(
      expect.objectContaining({ code: "INPUT", message: expect.stringContaining("contradicts") }),
    );
  });

  test("that .vsync gives and cannot be one is put right there, whatever --repo says", () => {
    const { root, context } = makeWorkplace();
    writeFileSync(join(root, ".vsync"), "repo=profiles\n");
    for (const flag of [undefined, "mine"]) {
      expect(() => findRepository(context().host, flag)).toThrow(
        expect.objectContaining({
          code: "INPUT",
          hint: `change the line in ${join(root, ".vsync")}: repo=<name>`,
        }),
      );
    }
  });

  test("is an error in a repository without origin, and the error says both ways out", () => {
    const { root, context } = makeWorkplace(null);
    execFileSync("git", ["init", "--quiet"], { cwd: root, env: bareEnvironment() });
    expect(() => findRepository(context().host)).toThrow(
      expect.objectContaining({
        code: "INPUT",
        hint: "name it: --repo <name>   (or: git remote add origin <url>)",
      }),
    );
  });

  test.each([
    ["https://github.com/Acme/My-App.git", "acme_my_app"],
    ["https://user:token@github.com:8443/acme/app", "acme_app"],
    ["git@github.com:acme/app.git", "acme_app"],
    ["ssh://git@gitlab.example:2222/group/sub/sub2/app.git/", "group_sub_sub2_app"],
    ["gitlab.example:group/app", "group_app"],
    ["/srv/git/acme/app.git", "acme_app"],
    ["file:///srv/git/acme/app.git", "acme_app"],
    ["C:\\repos\\acme\\app", "acme_app"],
  ])("of origin %s is %s", (origin, name) => {
    expect(normaliseName(parseOrigin(origin).path)).toBe(name);
  });

  test("keeps no credentials of an origin", () => {
    expect(parseOrigin("https://user:token@GitHub.com/Acme/App.git").address).toBe("github.com/acme/app");
  });

  test.each([
    ["Ünïcode+Tëst", "ncodetst"],
    [`a${"b".repeat(200)}`, `a${"b".repeat(99)}`],
    ["com0x", "com0x"],
  ])("%s becomes %s", (raw, name) => {
    expect(normaliseName(raw)).toBe(name);
  });

  test.each([
    "",
    "...",
    "_private",
    ".hidden",
    "a..b",
    "../../etc",
    "con",
    "NUL.txt",
    "com1",
    "profiles",
    "backups",
    "ends.",
  ])("%j is refused", (raw) => {
    expect(() => normaliseName(raw)).toThrow(expect.objectContaining({ code: "INPUT" }));
  });

  test("of a file of any length makes no message of that length", () => {
    const refused = expect.objectContaining({ message: expect.stringMatching(/^.{100,300}$/) });
    expect(() => normaliseName("?".repeat(5000))).toThrow(refused);
  });
});

describe("a name that another git origin on this machine uses", () => {
  const stranger = (): ReturnType<typeof makeWorkplace> => {
    const place = makeWorkplace("https://git.example/mallory/shop.git");
    writeFileSync(join(place.root, ".vsync"), "repo=acme_shop\n");
    recordOrigin(place.context().host, {
      root: "",
      name: "acme_shop",
      hasVsyncFile: false,
      origin: "git.example/acme/shop",
    });
    return place;
  };

  test("is refused", () => {
    expect(() => findRepository(stranger().context().host)).toThrow(
      expect.objectContaining({
        code: "INPUT",
        message: expect.stringContaining("belongs to git.example/acme/shop"),
      }),
    );
  });

  test("is accepted when --repo says it", () => {
    expect(findRepository(stranger().context().host, "acme_shop").name).toBe("acme_shop");
  });

  test("is this repository's too once that was recorded", () => {
    const { host } = stranger().context();
    recordOrigin(host, findRepository(host, "acme_shop"));
    expect(findRepository(host).name).toBe("acme_shop");
  });

  test("is the same origin by ssh and by https", () => {
    const { context } = makeWorkplace("git@git.example:acme/shop.git");
    const { host } = context();
    recordOrigin(host, { root: "", name: "acme_shop", hasVsyncFile: false, origin: "git.example/acme/shop" });
    expect(findRepository(host).name).toBe("acme_shop");
  });
});

test.each(["dev", "prod-eu", "a", "a_1", `a${"b".repeat(31)}`])("%s names an environment", (env) => {
  expect(() => checkEnvName(env)).not.toThrow();
});

test.each(["", "Dev", "1st", "_x", "a/b", "a.b", "..", "a\n", `a${"b".repeat(32)}`, "dév"])(
  "%j names no environment",
  (env) => {
    expect(() => checkEnvName(env)).toThrow(expect.objectContaining({ code: "INPUT" }));
  },
);
