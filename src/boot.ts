/**
 * The executable's first script. Loads the main script as V8 compiled it at build time, so that a plugin call compiles hardly
 * anything; without that (another architecture's build) it is compiled as any script.
 */
const { getRawAsset } = process.getBuiltinModule("node:sea");
const { Script } = process.getBuiltinModule("node:vm");

const kept = getRawAsset("main.cache");
const script = new Script(Buffer.from(getRawAsset("main.js")).toString("latin1"), {
  filename: "main",
  ...(kept.byteLength > 0 && { cachedData: Buffer.from(kept) }),
});
script.runInThisContext()(require, module);

export {};
