/**
 * A script of the executable, as V8 compiled it at build time, so that hardly anything is compiled when it runs. Without that
 * (another architecture's build) it is compiled as any script.
 */
export function runAsset(name: string): unknown {
  const { getRawAsset } = process.getBuiltinModule("node:sea");
  const { Script } = process.getBuiltinModule("node:vm");
  const code = Buffer.from(getRawAsset(name)).toString("latin1");
  const kept = getRawAsset(`${name}.cache`);
  const script = new Script(code, {
    filename: name,
    ...(kept.byteLength > 0 && { cachedData: Buffer.from(kept) }),
  });
  return script.runInThisContext();
}
