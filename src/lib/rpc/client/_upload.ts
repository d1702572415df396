import { DATA, END_STREAM, FRAME_SIZE_MAX, frame } from "./_frames.ts";

/** A flow-control window before a peer says otherwise, and the largest one, RFC 9113 section 6.9. */
export const DEFAULT_WINDOW = 65535;
const WINDOW_MAX = 2 ** 31 - 1;

/** The request's body on its way out, as fast as the server's windows allow. */
export class Upload {
  readonly #stream: number;
  #rest: Buffer;
  #connectionWindow = DEFAULT_WINDOW;
  #streamWindow = DEFAULT_WINDOW;
  #initialWindow = DEFAULT_WINDOW;
  #frameSize = FRAME_SIZE_MAX;

  /** `body` must not be empty: its last frame ends the stream. */
  constructor(stream: number, body: Buffer) {
    this.#stream = stream;
    this.#rest = body;
  }

  /** The DATA frames that may be sent now. */
  frames(): Buffer[] {
    const frames: Buffer[] = [];
    while (this.#rest.length > 0) {
      const size = Math.min(this.#rest.length, this.#frameSize, this.#connectionWindow, this.#streamWindow);
      if (size <= 0) {
        break;
      }
      const flags = size === this.#rest.length ? END_STREAM : 0;
      frames.push(frame(DATA, flags, this.#stream, this.#rest.subarray(0, size)));
      this.#rest = this.#rest.subarray(size);
      this.#connectionWindow -= size;
      this.#streamWindow -= size;
    }
    return frames;
  }

  /** Takes the server's SETTINGS_MAX_FRAME_SIZE. */
  setFrameSize(bytes: number): void {
    this.#frameSize = bytes;
  }

  /** Takes the server's SETTINGS_INITIAL_WINDOW_SIZE; false if the window became larger than a window may be. */
  setInitialWindow(bytes: number): boolean {
    this.#streamWindow += bytes - this.#initialWindow;
    this.#initialWindow = bytes;
    return Math.max(bytes, this.#streamWindow) <= WINDOW_MAX;
  }

  /** Takes a window update, of the connection (stream 0) or the stream; false if the window became too large. */
  grow(stream: number, bytes: number): boolean {
    if (stream === 0) {
      this.#connectionWindow += bytes;
    } else {
      this.#streamWindow += bytes;
    }
    return Math.max(this.#connectionWindow, this.#streamWindow) <= WINDOW_MAX;
  }
}
