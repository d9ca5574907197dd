import type { DatabaseKind } from '../support/databases.js';
import { STATUSES } from './model.js';
import type { Random } from './random.js';
import { bytes, date, nthComment, type Json } from './operations.js';

/** How the values of a column can be asked about. */
export type Family = 'number' | 'text' | 'moment' | 'plain' | 'json' | 'list' | 'opaque';

export interface ColumnDomain {
  readonly family: Family;
  readonly values: readonly Json[];
  /** Values that only a question holds: written otherwise than the database would. */
  readonly asked?: readonly Json[];
  /** Values that are met now and then. */
  readonly seldom?: readonly Json[];
  /** Values that SQLite's JavaScript driver rounds. */
  readonly serversOnly?: readonly Json[];
  readonly nullable?: boolean;
}

export interface EntityDomain {
  readonly name: string;
  /** Property paths; `address.city` for an embedded one. */
  readonly columns: Readonly<Record<string, ColumnDomain>>;
  readonly key: readonly string[];
  readonly toOne: Readonly<Record<string, string>>;
  readonly toMany: Readonly<Record<string, string>>;
  readonly softDelete?: boolean;
  readonly weight: number;
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

// Case and trailing blanks; letters that some collations hold to be equal to others.
const FOLDED = ['a', 'A', 'a ', 'b', 'B', 'c', 's'];
const FOLDED_BEYOND_ASCII = ['ä', 'Ä', 'ß', 'é'];
const EXACT = ['x', 'X', 'x ', 'y', 'z', ''];
const EXACT_BEYOND_ASCII = ['ü', 'Ü'];
export const UUIDS = range(1, 5).map((n) => `a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1${n}`);

const number = (values: readonly Json[], asked: readonly Json[] = []): ColumnDomain => ({
  family: 'number',
  values,
  asked,
});
const nullable = (domain: ColumnDomain): ColumnDomain => ({ ...domain, nullable: true });
const text = (values: readonly Json[], seldom: readonly Json[] = []): ColumnDomain => ({
  family: 'text',
  values,
  seldom,
});
const folded = text(FOLDED, FOLDED_BEYOND_ASCII);
const exact = text(EXACT, EXACT_BEYOND_ASCII);
const plain = (values: readonly Json[], asked: readonly Json[] = []): ColumnDomain => ({
  family: 'plain',
  values,
  asked,
});
const moment = (values: readonly Json[]): ColumnDomain => ({ family: 'moment', values });

const UUID = plain(UUIDS, [(UUIDS[0] as string).toUpperCase()]);

const ARTICLE: Readonly<Record<string, ColumnDomain>> = {
  id: number(range(1, 14)),
  title: nullable(folded),
  slug: nullable(exact),
  code: nullable(text(['p', 'P', 'p ', 'q'])),
  views: number(range(0, 4)),
  big: nullable({
    ...number(['4503599627370497', '1']),
    serversOnly: ['9007199254740993', '9007199254740992'],
  }),
  price: nullable(number(['1.00', '1.5', '2'], ['1.0', 1, 1.5, '1.50', '2.000'])),
  rating: nullable(number([0.1, 1, 2.5])),
  published: plain([true, false]),
  status: plain(STATUSES),
  at: nullable(
    moment([
      date('2024-03-01T00:00:00.000Z'),
      date('2024-03-01T00:00:00.250Z'),
      date('2024-07-01T12:00:00Z'),
    ]),
  ),
  day: nullable(moment(['2024-03-01', '2024-03-02'])),
  hour: nullable(moment(['10:00:00', '23:59:59'])),
  ref: nullable(UUID),
  meta: nullable({ family: 'json', values: [{ a: 1 }, { a: 1, b: ['x'] }, [1, 2], { n: null }] }),
  tags: nullable({ family: 'list', values: [['x'], ['x', 'y'], ['z']] }),
  data: nullable({ family: 'opaque', values: [bytes('00ff'), bytes('616263')] }),
  body: nullable({ ...plain(['ab', 'ba', 'aa']), seldom: ['é'] }),
};

/** What the generators know of the entities. */
export const ENTITIES: readonly EntityDomain[] = [
  {
    name: 'Article',
    columns: ARTICLE,
    key: ['id'],
    toOne: { category: 'Category', author: 'Author' },
    toMany: { labels: 'Label', comments: 'Comment', assets: 'Asset' },
    softDelete: true,
    weight: 8,
  },
  {
    name: 'Category',
    columns: { id: number(range(1, 6)), name: nullable(folded), rank: number(range(0, 2)) },
    key: ['id'],
    toOne: { parent: 'Category' },
    toMany: { articles: 'Article', children: 'Category' },
    softDelete: true,
    weight: 3,
  },
  {
    name: 'Author',
    columns: {
      id: UUID,
      name: nullable(exact),
      email: text(['a@x', 'b@x', 'c@x', 'A@X', 'd@x', 'e@x']),
      'address.city': nullable(folded),
      'address.zip': number(range(0, 2)),
    },
    key: ['id'],
    toOne: {},
    toMany: { articles: 'Article' },
    weight: 3,
  },
  {
    name: 'Profile',
    columns: { id: number(range(1, 5)), bio: nullable(plain(['ab', 'ba'])) },
    key: ['id'],
    toOne: { author: 'Author' },
    toMany: {},
    weight: 1,
  },
  {
    name: 'Label',
    columns: {
      code: text(['red', 'Red', 'blue', 'blue ', 'pink'], ['grün', 'GRÜN']),
      weight: number(range(0, 2)),
    },
    key: ['code'],
    toOne: {},
    toMany: { articles: 'Article' },
    weight: 2,
  },
  {
    name: 'Comment',
    columns: {
      id: { family: 'plain', values: range(0, 9).map(nthComment) },
      text: nullable(exact),
      stars: number(range(0, 3)),
    },
    key: ['id'],
    toOne: { article: 'Article', author: 'Author' },
    toMany: {},
    weight: 4,
  },
  ...['Asset', 'Picture', 'Video'].map((name) => ({
    name,
    columns: {
      id: number(['1', '2', '3', '4', '5', '6']),
      size: number(range(0, 2)),
      ...(name === 'Picture' ? { width: nullable(number([10, 20])) } : {}),
      ...(name === 'Video' ? { seconds: nullable(number([5, 6])) } : {}),
    },
    key: ['id'],
    toOne: { article: 'Article' },
    toMany: {},
    weight: 1,
  })),
  {
    name: 'Topic',
    columns: { id: number(range(1, 7)), name: nullable(exact) },
    key: ['id'],
    toOne: { parent: 'Topic' },
    toMany: { children: 'Topic' },
    weight: 1.5,
  },
  {
    name: 'Folder',
    columns: { id: number(range(1, 7)), files: number(range(0, 2)) },
    key: ['id'],
    toOne: { parent: 'Folder' },
    toMany: { children: 'Folder' },
    weight: 1,
  },
  {
    name: 'Setting',
    columns: {
      scope: text(['app', 'APP', 'user', 'user ']),
      slot: number(range(1, 3)),
      value: nullable(exact),
      amount: nullable(number(['0.125', '1', '1.5'], ['1.000', 1])),
    },
    key: ['scope', 'slot'],
    toOne: {},
    toMany: {},
    weight: 2,
  },
];

const BY_NAME = new Map(ENTITIES.map((entity) => [entity.name, entity]));

export function domainOf(name: string): EntityDomain {
  const domain = BY_NAME.get(name);
  if (!domain) throw new Error(`no entity ${name}`);
  return domain;
}

/** Values that a column of the database may hold. */
export function valuesOf({ values, serversOnly = [] }: ColumnDomain, kind: DatabaseKind): readonly Json[] {
  return kind === 'sqlite' ? values : [...values, ...serversOnly];
}

const SELDOM = 0.04;

/** One of the values that a column may hold. */
export function valueOf(random: Random, column: ColumnDomain, kind: DatabaseKind): Json {
  const { seldom = [] } = column;
  return random.pick(seldom.length > 0 && random.chance(SELDOM) ? seldom : valuesOf(column, kind));
}

/** Lists and JSON can be asked about in PostgreSQL only. */
export function canAsk(family: Family, kind: DatabaseKind): boolean {
  return (family !== 'json' && family !== 'list') || kind === 'postgres';
}
