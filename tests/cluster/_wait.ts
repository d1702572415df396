/** Waits that have a limit, and say what they waited for and how things were at the end. */
import { setTimeout as delay } from "node:timers/promises";

/** What can be printed: a promise is refused here. */
type Last = () => string | number | readonly string[] | undefined;

const LIMIT_MS = 30_000;

/** The promise's value. @throws with what `last` says when that takes too long. */
export async function within<T>(done: Promise<T>, what: string, last: Last = () => "", limitMs = LIMIT_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  const tooLate = over.then((): never => {
    throw new Error(`${what}: not within ${limitMs} ms\n${last()}`);
  });
  try {
    return await Promise.race([done, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** Repeats until it is true. @throws with what `last` says when that takes too long, also when a single look does. */
export async function until(
  isTrue: () => boolean | Promise<boolean>,
  what: string,
  last?: Last,
  limitMs?: number,
): Promise<void> {
  let isOver = false;
  const look = async (): Promise<void> => {
    while (!isOver && !(await isTrue())) await delay(20);
  };
  try {
    await within(look(), what, last, limitMs);
  } finally {
    isOver = true;
  }
}
