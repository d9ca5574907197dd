/** What a call did to a content. Names are numbers: first those of the content, then those of the call, then new ones. */
export interface Outcome {
  readonly content: Content;
  /** Of the content after the call. */
  readonly names: readonly number[];
  /** How many names the call made up. */
  readonly fresh: number;
  readonly reply: string;
}

/** All that a driver holds, the same for all that differ only in the names of stamps. */
export interface Content {
  /** With numbers for names. */
  readonly text: string;
  /** The first way that was found to get here; none for what is empty. */
  readonly origin: { readonly from: Content; readonly call: string } | undefined;
  /** By call. */
  readonly outcomes: Map<string, Outcome>;
  /** Ids of it and of what it is with other names of writers and readers, as they are asked for. */
  readonly twins: (number | undefined)[];
}

/** A content with the names of its stamps. */
export interface Named {
  readonly content: Content;
  readonly names: readonly string[];
}

/** The hard part of a stamp; the soft part says how often one of the same name was expired. */
const NAME = /(?<![\w-])[\w-]{12}(?=\d{4}(?![\w-]))/g;

/** Puts numbers in the place of names; one that `names` does not have is added to it. */
export function hide(text: string, names: string[]): string {
  return text.replace(NAME, (name) => `<${numberOf(name, names)}>`);
}

export function numberOf(name: string, names: string[]): number {
  const known = names.indexOf(name);
  return known < 0 ? names.push(name) - 1 : known;
}

/** Puts names in the place of numbers. */
export const show = (text: string, names: readonly string[]): string =>
  text.replace(/<(\d+)>/g, (_, number: string) => names[Number(number)] as string);

let namesSoFar = 0;
/** Nobody had it before. */
export const newName = (): string => `n${(namesSoFar++).toString(36).padStart(11, '-')}`;

/** @returns one new name for each number in the text, after the names that are there for some of them */
export function namesFor(text: string, known: readonly string[] = []): string[] {
  const names = [...known];
  for (const [, number] of text.matchAll(/<(\d+)>/g))
    while (names.length <= Number(number)) names.push(newName());
  return names;
}

/** All contents that were met. */
export class Contents {
  readonly #known = new Map<string, Content>();
  readonly #ids = new Map<string, number>();

  /** @param text all that a driver holds */
  named(text: string, origin: Content['origin']): Named {
    const names: string[] = [];
    const hidden = hide(text, names);
    let content = this.#known.get(hidden);
    if (content === undefined) {
      content = { text: hidden, origin, outcomes: new Map(), twins: [] };
      this.#known.set(hidden, content);
    }
    return { content, names };
  }

  /**
   * Number of a content as it is with the names of the writers, of the readers, or of both exchanged. The order in
   * which the names of stamps come is the same.
   */
  id({ text, twins }: Content, swapWriters: boolean, swapReaders: boolean): number {
    const which = (swapWriters ? 1 : 0) + (swapReaders ? 2 : 0);
    return (twins[which] ??= this.#idOf(exchanged(text, swapWriters, swapReaders)));
  }

  #idOf(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) this.#ids.set(text, (id = this.#ids.size));
    return id;
  }
}

function exchanged(text: string, swapWriters: boolean, swapReaders: boolean): string {
  const other = (name: string): string => `${name[0]}${1 - Number(name[1])}`;
  const writers = swapWriters ? text.replace(/\bw[01]\b/g, other) : text;
  return swapReaders ? writers.replace(/\br[01]\b/g, other) : writers;
}
