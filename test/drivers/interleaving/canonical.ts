import { hash } from 'node:crypto';
import { HARD_LENGTH, type Stamp } from '../../../lib/core/stamp.js';
import { numberOf } from './contents.js';
import type { Saved } from './explore.js';
import type { Reader, Scenario, World, Writer } from './world.js';

/**
 * The hash of one text for all states that differ only in the names of stamps, of writers, or of readers of the same
 * shape and number of reads. Of the ways to name writers and readers the one is taken in which those come first whose
 * plain facts are less; both are tried only where these are the same.
 */
export function canonical(world: World, content: Saved, { shapes, runs }: Scenario): string {
  const writers = world.writers.map(writerFacts);
  const readers = world.readers.map(readerFacts);
  const areSame = shapes[0] === shapes[1] && runs[0] === runs[1];
  let least: string | undefined;
  for (const swapWriters of swaps(writers)) {
    for (const swapReaders of areSame ? swaps(readers) : [false]) {
      const text = describe(world, content, writers, readers, swapWriters, swapReaders);
      if (least === undefined || text < least) least = text;
    }
  }
  return hash('sha1', least as string, 'base64');
}

function swaps([one, other]: readonly string[]): readonly boolean[] {
  if (one === other) return [false, true];
  return [(one as string) > (other as string)];
}

/** All but names of stamps. */
const writerFacts = ({ pc, version, shapes, tokens, wrote, lost }: Writer): string =>
  `${pc} ${version === ''} ${shapes.join()} ${tokens.join()} ${wrote} ${lost}`;

const readerFacts = ({ shape, pc, runs, stamps, value }: Reader): string =>
  `${shape} ${pc} ${runs} ${stamps === undefined} ${value}`;

function describe(
  { db, evictions, expiries, writers, readers, marks, leases }: World,
  content: Saved,
  writersFacts: readonly string[],
  readersFacts: readonly string[],
  swapWriters: boolean,
  swapReaders: boolean,
): string {
  const names = [...content.names];
  let text = `${content.id(swapWriters, swapReaders)} ${db} ${evictions} ${expiries}`;
  for (const i of swapWriters ? [1, 0] : [0, 1]) {
    text += `/${writersFacts[i]} ${numbered((writers[i] as Writer).version, names)}`;
  }
  for (const i of swapReaders ? [1, 0] : [0, 1]) {
    text += `/${readersFacts[i]}`;
    for (const stamp of (readers[i] as Reader).stamps ?? []) text += ` ${numbered(stamp, names)}`;
  }
  for (const place of Object.keys(marks).sort()) {
    const indexes = marks[place] as number[];
    text += `/${place}@${indexes.map((i) => (swapWriters ? 1 - i : i)).sort()}`;
  }
  for (const key of Object.keys(leases).sort()) {
    const owner = leases[key] as number;
    text += `/${key}!${swapReaders ? 1 - owner : owner}`;
  }
  return text;
}

/** Hard parts get numbers in the order in which they come. */
const numbered = (stamp: Stamp, names: string[]): string =>
  `${numberOf(stamp.slice(0, HARD_LENGTH), names)}.${stamp.slice(HARD_LENGTH)}`;
