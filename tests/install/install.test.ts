import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildIdNote } from "../../src/lib/cni/build_id.ts";
import { type InstallOptions, install, type PluginConf } from "../../src/lib/cni/install.ts";
import { INSTALL_FLAGS, installOptions } from "../../src/lib/cni/install_flags.ts";
import { parseFlags } from "../../src/lib/flags/flags.ts";

const CONF: PluginConf = {
  daemonSocket: "unix:///run/daemon.sock",
  daemonCallTimeoutSeconds: 7,
  logFile: "/var/log/nv-ipam-cni.log",
  logLevel: "debug",
  forcePoolName: false,
};

const test = suite<{ dir: string }>("install");
test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), "nv-ipam-install-"));
});
test.after.each(({ dir }) => rmSync(dir, { recursive: true, force: true }));

/** An executable as the build makes it: a program, then the note with its hash. */
function build(dir: string, name: string, program: string): string {
  const path = join(dir, name);
  writeFileSync(
    path,
    Buffer.concat([Buffer.from(program), buildIdNote(createHash("sha256").update(program).digest())]),
  );
  return path;
}

function shell(says: string): string {
  return `#!/bin/sh\necho ${says}\nexit\n`;
}

function options(dir: string, source: string): InstallOptions {
  return {
    executable: { source, binDir: join(dir, "bin") },
    conf: { content: CONF, confDir: join(dir, "conf") },
  };
}

/** What tells whether a file has been written again. */
function identity(path: string): string {
  const { ino, mtimeNs } = statSync(path, { bigint: true });
  return `${ino} ${mtimeNs}`;
}

test("the executable and its configuration are put in place, with the directories for them", async ({ dir }) => {
  const outcome = await install(options(dir, build(dir, "new", shell("new"))));
  assert.equal(outcome, { ok: true, value: { executable: "written", conf: "written" } });
  assert.is(execFileSync(join(dir, "bin/nv-ipam"), { encoding: "utf8" }), "new\n");
  assert.is(statSync(join(dir, "bin/nv-ipam")).mode & 0o7777, 0o755);
  assert.equal(JSON.parse(readFileSync(join(dir, "conf/nv-ipam.conf"), "utf8")), CONF);
  assert.is(statSync(join(dir, "conf/nv-ipam.conf")).mode & 0o7777, 0o644);
  assert.equal(readdirSync(join(dir, "bin")), ["nv-ipam"]);
  assert.equal(readdirSync(join(dir, "conf")), ["nv-ipam.conf"]);
});

test("modes do not depend on the umask", async ({ dir }) => {
  const previous = process.umask(0o077);
  try {
    await install(options(dir, build(dir, "new", shell("new"))));
  } finally {
    process.umask(previous);
  }
  assert.is(statSync(join(dir, "bin/nv-ipam")).mode & 0o7777, 0o755);
  assert.is(statSync(join(dir, "conf/nv-ipam.conf")).mode & 0o7777, 0o644);
});

test("nothing is written again when its equal is there", async ({ dir }) => {
  const wanted = options(dir, build(dir, "new", shell("new")));
  await install(wanted);
  const before = [identity(join(dir, "bin/nv-ipam")), identity(join(dir, "conf/nv-ipam.conf"))];
  assert.equal(await install(wanted), { ok: true, value: { executable: "unchanged", conf: "unchanged" } });
  assert.equal([identity(join(dir, "bin/nv-ipam")), identity(join(dir, "conf/nv-ipam.conf"))], before);
});

test("what is the same but for its mode is written again: nobody could run it, or read it", async ({ dir }) => {
  const wanted = options(dir, build(dir, "new", shell("new")));
  for (const [bin, conf] of [
    [0o600, 0o600],
    [0o644, 0o666],
    [0o4755, 0o640],
  ] as const) {
    await install(wanted);
    chmodSync(join(dir, "bin/nv-ipam"), bin);
    chmodSync(join(dir, "conf/nv-ipam.conf"), conf);
    assert.equal(await install(wanted), { ok: true, value: { executable: "written", conf: "written" } });
    assert.is(statSync(join(dir, "bin/nv-ipam")).mode & 0o7777, 0o755);
    assert.is(statSync(join(dir, "conf/nv-ipam.conf")).mode & 0o7777, 0o644);
  }
});

test("the mode of the source does not matter", async ({ dir }) => {
  const source = build(dir, "new", shell("new"));
  chmodSync(source, 0o555);
  await install(options(dir, source));
  const outcome = await install(options(dir, source));
  assert.is(outcome.ok && outcome.value.executable, "unchanged");
});

const DIFFERENT: readonly { what: string; installed: (dir: string) => void }[] = [
  { what: "another build of the same size", installed: (dir) => build(dir, "bin/nv-ipam", shell("old")) },
  { what: "a build of another size", installed: (dir) => build(dir, "bin/nv-ipam", shell("older")) },
  { what: "a program of somebody else", installed: (dir) => writeFileSync(join(dir, "bin/nv-ipam"), shell("alien")) },
  { what: "a link to nothing", installed: (dir) => symlinkSync("nothing", join(dir, "bin/nv-ipam")) },
  { what: "an empty file", installed: (dir) => writeFileSync(join(dir, "bin/nv-ipam"), "") },
];
for (const { what, installed } of DIFFERENT) {
  test(`${what} is replaced`, async ({ dir }) => {
    mkdirSync(join(dir, "bin"));
    installed(dir);
    const outcome = await install(options(dir, build(dir, "new", shell("new"))));
    assert.is(outcome.ok && outcome.value.executable, "written");
    assert.is(execFileSync(join(dir, "bin/nv-ipam"), { encoding: "utf8" }), "new\n");
  });
}

test("an executable without a build id is installed too", async ({ dir }) => {
  writeFileSync(join(dir, "new"), shell("alien"));
  const outcome = await install(options(dir, join(dir, "new")));
  assert.is(outcome.ok && outcome.value.executable, "written");
  assert.is(execFileSync(join(dir, "bin/nv-ipam"), { encoding: "utf8" }), "alien\n");
});

test("another configuration is replaced", async ({ dir }) => {
  mkdirSync(join(dir, "conf"));
  writeFileSync(join(dir, "conf/nv-ipam.conf"), '{ "logLevel": "info" }\n');
  const outcome = await install({ conf: { content: { ...CONF, podOptional: true }, confDir: join(dir, "conf") } });
  assert.equal(outcome, { ok: true, value: { executable: "skipped", conf: "written" } });
  assert.equal(JSON.parse(readFileSync(join(dir, "conf/nv-ipam.conf"), "utf8")), { ...CONF, podOptional: true });
});

test("a program that runs from the old file is not disturbed", async ({ dir }) => {
  mkdirSync(join(dir, "bin"));
  // A shell reads its script as it goes, so it would notice if the file's content changed under it.
  build(dir, "bin/nv-ipam", "#!/bin/sh\necho started\nread line\necho old $line\nexit\n");
  chmodSync(join(dir, "bin/nv-ipam"), 0o755);
  const running = spawn(join(dir, "bin/nv-ipam"), { stdio: ["pipe", "pipe", "inherit"] });
  running.stdout.setEncoding("utf8");
  const [first] = await once(running.stdout, "data");
  await install(options(dir, build(dir, "new", `#!/bin/sh\n${"echo new\n".repeat(99)}`)));
  running.stdin.end("still here\n");
  const [second] = await once(running.stdout, "data");
  assert.equal([first, second], ["started\n", "old still here\n"]);
});

test("a reader of the file that was there before still reads all of it", async ({ dir }) => {
  mkdirSync(join(dir, "bin"));
  const content = readFileSync(build(dir, "bin/nv-ipam", "x".repeat(100_000)));
  const open = openSync(join(dir, "bin/nv-ipam"), "r");
  await install(options(dir, build(dir, "new", shell("new"))));
  const read = Buffer.alloc(content.length + 1);
  assert.is(readSync(open, read), content.length);
  assert.ok(read.subarray(0, content.length).equals(content));
});

test("what a crash left behind is removed, and nothing else", async ({ dir }) => {
  mkdirSync(join(dir, "bin"));
  const leftover = ".nv-ipam.0ff4c0de-0000-4000-8000-000000000000.tmp";
  for (const name of [leftover, "bridge", ".nv-ipam-old", "nv-ipam.tmp"]) writeFileSync(join(dir, "bin", name), "x");
  await install(options(dir, build(dir, "new", shell("new"))));
  assert.equal(readdirSync(join(dir, "bin")).sort(), [".nv-ipam-old", "bridge", "nv-ipam", "nv-ipam.tmp"]);
});

test("many that install at once all succeed, and at no time is there half a file", async ({ dir }) => {
  const sources = ["a", "b", "c"].map((name) => build(dir, name, `${name.repeat(300_000)}`));
  const target = join(dir, "bin/nv-ipam");
  await install(options(dir, sources[0] ?? ""));
  let done = false;
  let wrong = 0;
  const wholes = sources.map((source) => readFileSync(source));
  const watch = async () => {
    while (!done) {
      const seen = readFileSync(target);
      if (!wholes.some((whole) => whole.equals(seen))) wrong++;
      await new Promise(setImmediate);
    }
  };
  const watching = watch();
  for (let round = 0; round < 20; round++) {
    const outcomes = await Promise.all(sources.map((source) => install(options(dir, source))));
    assert.equal(
      outcomes.filter(({ ok }) => !ok),
      [],
    );
  }
  done = true;
  await watching;
  assert.is(wrong, 0);
  assert.equal(readdirSync(join(dir, "bin")), ["nv-ipam"]);
});

test("a source that is not there is an error that names it and the flag", async ({ dir }) => {
  const outcome = await install(options(dir, join(dir, "absent")));
  assert.ok(!outcome.ok);
  assert.is(outcome.error.code, "no-source");
  assert.match(outcome.error.message, join(dir, "absent"));
  assert.match(outcome.error.message, "--cni-nv-ipam-bin-file");
  assert.not(existsSync(join(dir, "bin")));
});

const NOT_WRITABLE = [
  { part: "bin", flag: "--cni-bin-dir" },
  { part: "conf", flag: "--cni-conf-dir" },
];
for (const { part, flag } of NOT_WRITABLE) {
  test(`a ${part} directory that is a file is an error that names ${flag}`, async ({ dir }) => {
    writeFileSync(join(dir, part), "");
    const outcome = await install(options(dir, build(dir, "new", shell("new"))));
    assert.ok(!outcome.ok);
    assert.is(outcome.error.code, "not-written");
    assert.match(outcome.error.message, join(dir, part));
    assert.match(outcome.error.message, flag);
  });
}

for (const target of ["bin/nv-ipam", "conf/nv-ipam.conf"]) {
  test(`a directory at ${target} is an error that says to move it away, and no temporary file stays`, async ({
    dir,
  }) => {
    mkdirSync(join(dir, target), { recursive: true });
    const outcome = await install(options(dir, build(dir, "new", shell("new"))));
    assert.ok(!outcome.ok);
    assert.match(outcome.error.message, `cannot install ${join(dir, target)}: `);
    assert.match(outcome.error.message, /; move the directory of that name away$/);
    assert.equal(readdirSync(join(dir, dirname(target))), [basename(target)]);
  });
}

function fromFlags(args: readonly string[], podOptional?: boolean): InstallOptions {
  const parsed = parseFlags({ name: "install", summary: "", flags: INSTALL_FLAGS }, args);
  assert.ok(parsed.ok && parsed.value.type === "run");
  return installOptions(parsed.value.values, podOptional);
}

const DEFAULT_CONF = {
  daemonSocket: "unix:///var/lib/cni/nv-ipam/daemon.sock",
  daemonCallTimeoutSeconds: 5,
  logFile: "/var/log/nv-ipam-cni.log",
  logLevel: "info",
  forcePoolName: false,
};
const DEFAULT_EXECUTABLE = { source: "/nv-ipam", binDir: "/opt/cni/bin" };
const CONF_DIR = "/etc/cni/net.d/nv-ipam.d";

test("without flags the defaults are the original's", () => {
  assert.equal(fromFlags([]), { executable: DEFAULT_EXECUTABLE, conf: { content: DEFAULT_CONF, confDir: CONF_DIR } });
});

test("each flag reaches its place", () => {
  const given = fromFlags([
    "--cni-bin-dir=/b",
    "--cni-conf-dir=/c",
    "--cni-daemon-call-timeout=9",
    "--cni-daemon-socket=unix:///s",
    "--cni-force-pool-name",
    "--cni-log-file=/l",
    "--cni-log-level=verbose",
    "--cni-nv-ipam-bin-file=/x",
  ]);
  assert.equal(given, {
    executable: { source: "/x", binDir: "/b" },
    conf: {
      content: {
        daemonSocket: "unix:///s",
        daemonCallTimeoutSeconds: 9,
        logFile: "/l",
        logLevel: "verbose",
        forcePoolName: true,
      },
      confDir: "/c",
    },
  });
});

const REFUSED = [
  ["--cni-daemon-call-timeout=-1", "use 0 to 3600 seconds, of which 0 stands for the default, 5"],
  ["--cni-daemon-call-timeout=3601", "use 0 to 3600 seconds, of which 0 stands for the default, 5"],
  ["--cni-daemon-socket=bogus:", "the scheme is not known: it must be a socket path, unix:///path or tcp://host:port"],
  ["--cni-daemon-socket=unix://relative", "unix:// needs an absolute path behind it: unix:///path"],
] as const;
for (const [arg, advice] of REFUSED) {
  test(`${arg}, with which the plugin would fail at each call, is not installed`, () => {
    const parsed = parseFlags({ name: "install", summary: "", flags: INSTALL_FLAGS }, [arg]);
    assert.ok(!parsed.ok);
    assert.is(parsed.error, `${arg}: ${advice}`);
  });
}

test("what the plugin can do with is installed, a word that it takes for the level info too", () => {
  const given = ["--cni-daemon-call-timeout=0", "--cni-daemon-socket=", "--cni-log-level=warn"];
  const { daemonCallTimeoutSeconds, daemonSocket, logLevel } = fromFlags(given).conf?.content ?? {};
  assert.equal([daemonCallTimeoutSeconds, daemonSocket, logLevel], [0, "", "warn"]);
  assert.is(fromFlags(["--cni-daemon-socket=/run/d.sock"]).conf?.content.daemonSocket, "/run/d.sock");
});

test("each part can be left out", () => {
  assert.equal(fromFlags(["--cni-skip-nv-ipam-binary-copy"]), { conf: { content: DEFAULT_CONF, confDir: CONF_DIR } });
  assert.equal(fromFlags(["--cni-skip-nv-ipam-config-creation"]), { executable: DEFAULT_EXECUTABLE });
  assert.equal(fromFlags(["--cni-skip-nv-ipam-binary-copy", "--cni-skip-nv-ipam-config-creation"]), {});
});

test("only who asks for it gets a configuration with podOptional", () => {
  assert.equal(fromFlags([], true).conf?.content, { ...DEFAULT_CONF, podOptional: true });
});

test.run();
