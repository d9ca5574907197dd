import { isAscii } from 'node:buffer';

/** Smaller ones leave in one piece with their headers, and as small Buffers they would take many times the room. */
const LARGE = 4096;

/**
 * A text that came out of the cache, as its bytes or as text: as it was asked for last. A route asks for the same each
 * time, and to turn one into the other costs more than the rest of a hit when the text is large.
 */
export class KeptText {
  private kept: string | Buffer;
  /** Whether bytes are cheaper to send. */
  readonly isLarge: boolean;

  /** @param bytes nobody changes them */
  constructor(bytes: Buffer) {
    this.kept = bytes;
    this.isLarge = bytes.length >= LARGE;
  }

  get text(): string {
    if (typeof this.kept !== 'string') this.kept = this.kept.toString('utf8');
    return this.kept;
  }

  /** Not to be changed: everybody is sent these. */
  get bytes(): Buffer {
    if (typeof this.kept === 'string') this.kept = Buffer.from(this.kept);
    return this.kept;
  }

  /** Makes it fit to be kept for long. @returns what it takes at most, in bytes, about */
  settle(): number {
    const { bytes, isLarge } = this;
    if (!isLarge) this.kept = this.text;
    return isAscii(bytes) ? bytes.length : 2 * bytes.length;
  }
}
