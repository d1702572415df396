/** Programs that end with this process, however it ends. */

/** The kernel sends no signal for a parent that ended before the signal was asked for: then the program is not begun. */
const UNLESS_ORPHANED = '[ "$PPID" = "$0" ] || exit 1; exec "$@"';

/** What to start in the place of a program, so that it is killed when this process ends. */
export function tied(program: string, args: readonly string[]): readonly [program: string, args: readonly string[]] {
  return ["setpriv", ["--pdeathsig=KILL", "sh", "-c", UNLESS_ORPHANED, String(process.pid), program, ...args]];
}
