// Taken at load: fake timers of an application's tests replace the global one, and then nothing would ever be sent.
const nextTick = process.nextTick.bind(process);

/** The part of a socket that gathers writes. */
export interface Corkable {
  cork(): unknown;
  uncork(): unknown;
}

/** Commands in one write. The server works on them while the next are made; with more it stands idle meanwhile. */
const MOST = 16;

/** What is sent over a socket in one turn of the event loop. */
interface Turn {
  readonly stream: Corkable;
  /** Commands that are held back; `undefined`: none has been yet. */
  held: number | undefined;
}

/**
 * Commands that are sent in one turn of the event loop leave in few writes. A client writes each command by itself,
 * and under load the system call costs more than all the rest of a hit. The first one leaves at once, because most
 * often it stays alone. Nothing waits: all is written before the event loop moves on. What the application sends over
 * the same client goes with it, in its order.
 */
export class WriteBatch {
  #turn: Turn | undefined;

  /** To be called before a command is sent. @param stream the client's socket of this moment, if it shows one */
  open(stream: Corkable | undefined): void {
    const turn = this.#turn;
    if (turn === undefined || turn.stream !== stream) return this.#begin(stream);
    if (turn.held !== undefined && ++turn.held <= MOST) return;
    if (turn.held !== undefined) stream.uncork();
    stream.cork();
    turn.held = 1;
  }

  #begin(stream: Corkable | undefined): void {
    if (stream === undefined || typeof stream.cork !== 'function') return;
    const turn: Turn = { stream, held: undefined };
    this.#turn = turn;
    // After the microtasks, in which the replies to one batch send the next one.
    nextTick(() => {
      if (this.#turn === turn) this.#turn = undefined;
      if (turn.held !== undefined) stream.uncork();
    });
  }
}
