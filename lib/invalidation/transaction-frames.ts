import type { Token } from '../core/token.js';
import type { Effect } from './effect.js';

/** What a stretch of a transaction changed. */
export interface Changes {
  readonly effects: readonly Effect[];
  readonly tokens: ReadonlySet<Token>;
}

interface Frame {
  /** Savepoint name; `undefined` for the outermost frame. */
  readonly name: string | undefined;
  readonly effects: Effect[];
  readonly tokens: Set<Token>;
  /** What takes back, in memory, that which the frame's writes left there. */
  readonly undo: (() => void)[];
  dirty: boolean;
}

const newFrame = (name?: string): Frame => ({
  name,
  effects: [],
  tokens: new Set(),
  undo: [],
  dirty: false,
});

/**
 * The transaction of one connection as a stack of frames: a savepoint opens one, its release merges it upward, its
 * rollback drops what came after it. Names repeat in SQL: the innermost savepoint of a name is meant.
 */
export class TransactionFrames {
  private stack: Frame[] = [];
  private tasks: (() => void)[] = [];

  get active(): boolean {
    return this.stack.length > 0;
  }

  /** The transaction has written: it must read past the cache (law 7). */
  get dirty(): boolean {
    // Asked before each statement.
    for (const frame of this.stack) if (frame.dirty) return true;
    return false;
  }

  begin(): void {
    this.stack = [newFrame()];
  }

  savepoint(name: string): void {
    if (this.active) this.stack.push(newFrame(name));
  }

  /** RELEASE name: the frame and those above it become part of the one below. */
  release(name: string): void {
    const at = this.find(name);
    if (at < 1) return;
    const target = this.stack[at - 1] as Frame;
    for (const frame of this.stack.splice(at)) {
      target.effects.push(...frame.effects);
      target.undo.push(...frame.undo);
      for (const token of frame.tokens) target.tokens.add(token);
      target.dirty ||= frame.dirty;
    }
  }

  /** ROLLBACK TO name: drops what came after the savepoint, which itself stays open. */
  rollbackTo(name: string): void {
    const at = this.find(name);
    if (at < 1) return;
    undo(this.stack.splice(at));
    this.stack.push(newFrame(name));
  }

  /** Records effects; with none given the transaction only becomes dirty. */
  record(effects: readonly Effect[], tokens: Iterable<Token> = []): void {
    const frame = this.stack[this.stack.length - 1];
    if (!frame) return;
    frame.dirty = true;
    for (const effect of effects) frame.effects.push(effect);
    for (const token of tokens) frame.tokens.add(token);
  }

  /** Changes that wait for the commit without the connection having written (an `invalidate()` call). */
  queue({ effects, tokens }: Changes): void {
    const frame = this.stack[this.stack.length - 1];
    frame?.effects.push(...effects);
    for (const token of tokens) frame?.tokens.add(token);
  }

  /** Everything recorded so far, all frames together. */
  changes(): Changes {
    const [frame] = this.stack;
    // The most usual; a copy, because more may be recorded while it is announced.
    if (frame && this.stack.length === 1)
      return { effects: frame.effects.slice(), tokens: new Set(frame.tokens) };
    return {
      effects: this.stack.flatMap((frame) => frame.effects),
      tokens: new Set(this.stack.flatMap((frame) => [...frame.tokens])),
    };
  }

  /** Runs `undo` if what is recorded from here on is rolled back. */
  onRollback(undo: () => void): void {
    this.stack[this.stack.length - 1]?.undo.push(undo);
  }

  /** The transaction ended, and what it wrote is there. */
  /** Called when COMMIT or ROLLBACK is done. */
  end(): void {
    this.stack = [];
    for (const task of this.tasks.splice(0)) task();
  }

  /** Runs a task when the transaction has ended; it must not throw. */
  afterEnd(task: () => void): void {
    this.tasks.push(task);
  }

  /** The transaction ended, and what it wrote is not there. */
  rollback(): void {
    undo(this.stack);
    this.end();
  }

  private find(name: string): number {
    return this.stack.findLastIndex((frame) => frame.name === name);
  }
}

function undo(frames: readonly Frame[]): void {
  for (const each of frames.flatMap((frame) => frame.undo).reverse()) each();
}
