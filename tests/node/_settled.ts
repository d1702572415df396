/** Waits for the end of all, also when one fails: what is under way then can be taken down. @throws the first failure. */
export async function settled<T>(all: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(all);
  return Promise.all(all);
}
