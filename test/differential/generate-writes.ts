import type { DatabaseKind } from '../support/databases.js';
import type { ReadGenerator } from './generate-reads.js';
import {
  nthComment,
  type Json,
  type JsonObject,
  type Operation,
  type TransactionOperation,
  type WriteOperation,
} from './operations.js';
import type { Random } from './random.js';
import { RAW_WRITES } from './raw-writes.js';
import { domainOf, ENTITIES, UUIDS, valueOf, type ColumnDomain, type EntityDomain } from './schema.js';

type Mutable = Record<string, Json>;

const INSERTABLE = [
  'Article',
  'Category',
  'Author',
  'Profile',
  'Label',
  'Comment',
  'Picture',
  'Video',
  'Setting',
];

/** Writes of every kind; what they delete they make again, so that tables stay at tens of rows. */
export class WriteGenerator {
  constructor(
    private readonly random: Random,
    private readonly kind: DatabaseKind,
    private readonly reads: ReadGenerator,
  ) {}

  /** Writes also whose rows the text does not name: upserts, `REPLACE`, joined and limited updates, `TRUNCATE`. */
  rough = false;

  next(): WriteOperation {
    const { random } = this;
    const domain = random.weighted(ENTITIES.map((entity) => [entity.weight, entity] as const));
    const make = random.weighted<() => [string, string, Json]>([
      [14, () => ['save', domain.name, [this.row(domain, true)]]],
      [4, () => ['save', domain.name, [this.row(domain, true), this.row(domain, true)]]],
      [22, () => ['change', domain.name, { key: this.key(domain), set: this.changes(domain) }]],
      [5, () => ['remove', domain.name, this.key(domain)]],
      [3, () => ['softRemove', random.pick(['Article', 'Category']), 1 + random.below(8)]],
      [3, () => ['recover', random.pick(['Article', 'Category']), 1 + random.below(8)]],
      [9, () => this.insert()],
      [14, () => ['update', domain.name, { where: this.narrow(domain), set: this.changes(domain) }]],
      [3, () => ['delete', domain.name, this.narrow(domain)]],
      [1, () => ['softDelete', 'Article', this.narrow(domainOf('Article'))]],
      [2, () => ['restore', 'Article', this.narrow(domainOf('Article'))]],
      [this.rough ? 8 : 0, () => this.upsert()],
      [
        4,
        () => [
          'increment',
          'Article',
          { where: this.narrow(domainOf('Article')), by: random.pick([1, -1, 2]) },
        ],
      ],
      [
        8,
        () => [
          'labels',
          'Article',
          {
            id: 1 + random.below(14),
            way: random.pick(['add', 'remove', 'set', 'save']),
            codes: random.some(this.labels(), 2),
          },
        ],
      ],
      [
        4,
        () => [
          'relate',
          'Article',
          {
            id: 1 + random.below(14),
            relation: random.pick(['category', 'author']),
            to: random.chance(0.2) ? null : 1 + random.below(5),
          },
        ],
      ],
      [
        3,
        () => [
          'comments',
          'Article',
          {
            id: 1 + random.below(14),
            way: random.pick(['add', 'remove', 'cascade']),
            comment: nthComment(random.below(9)),
            stars: random.below(4),
          },
        ],
      ],
      [18, () => ['raw', 'Article', { name: this.rawWrite(), p: this.parameters() }]],
      [
        6,
        () => [
          'topic',
          random.pick(['Topic', 'Folder']),
          {
            id: 1 + random.below(7),
            parent: random.chance(0.25) ? null : 1 + random.below(7),
            value: random.below(3),
          },
        ],
      ],
      [this.rough ? 1 : 0.2, () => ['clear', random.pick(['Setting', 'Profile']), null]],
    ]);
    const [how, entity, args] = make();
    return { kind: 'write', how, entity, args, process: random.below(2) };
  }

  transaction(depth: number, read: () => Operation): TransactionOperation {
    const { random } = this;
    const steps: Operation[] = [];
    for (let i = 1 + random.below(5); i > 0; i--) {
      steps.push(
        random.weighted<() => Operation>([
          [5, () => this.next()],
          [3, read],
          [2, () => ({ ...read(), outside: true }) as Operation],
          [depth < 2 ? 1.5 : 0, () => this.transaction(depth + 1, read)],
        ])(),
      );
    }
    const outermost: Partial<TransactionOperation> =
      depth > 0
        ? {}
        : {
            ...(random.chance(0.2) ? { byHand: true } : {}),
            ...(this.kind !== 'sqlite' && random.chance(0.4)
              ? { isolation: random.pick(['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const) }
              : {}),
          };
    return {
      kind: 'transaction',
      process: random.below(2),
      steps,
      end: random.chance(0.65) ? 'commit' : 'rollback',
      ...outermost,
    };
  }

  private insert(): [string, string, Json] {
    const { random } = this;
    // A refused statement has announced its changes already; keys that are taken are for the rough part.
    const domain = domainOf(this.rough ? random.pick(INSERTABLE) : 'Comment');
    const rows = Array.from({ length: random.chance(0.3) ? 2 : 1 }, () => this.row(domain, false));
    return ['insert', domain.name, rows];
  }

  private rawWrite(): number {
    return this.random.weighted(RAW_WRITES.map(({ rare }, i) => [rare && !this.rough ? 0 : 1, i] as const));
  }

  private upsert(): [string, string, Json] {
    const { random } = this;
    const name = random.pick(['Author', 'Setting', 'Label', 'Category']);
    const domain = domainOf(name);
    const rows = Array.from({ length: random.chance(0.3) ? 2 : 1 }, () => this.row(domain, false));
    const by = name === 'Author' && random.chance(0.6) ? ['email'] : domain.key;
    return ['upsert', name, { rows, by }];
  }

  private labels(): readonly Json[] {
    return (domainOf('Label').columns['code'] as ColumnDomain).values;
  }

  private key(domain: EntityDomain): JsonObject {
    return Object.fromEntries(
      domain.key.map((name) => [name, this.value(domain.columns[name] as ColumnDomain)]),
    );
  }

  /** A row with its key and, unless it is partial, all that must not be null. */
  private row(domain: EntityDomain, partial: boolean): JsonObject {
    const { random } = this;
    const names = Object.keys(domain.columns).filter((name) => !domain.key.includes(name));
    const row: Mutable = {
      ...(domain.name === 'Comment' && (!partial || random.chance(0.7)) ? {} : this.key(domain)),
    };
    for (const name of names) {
      const column = domain.columns[name] as ColumnDomain;
      const needed = name === 'email';
      if (needed || random.chance(partial ? 0.4 : 0.6)) this.put(row, name, this.valueOrNull(column));
    }
    for (const name of Object.keys(domain.toOne))
      if (name !== 'parent' && random.chance(0.6)) row[name] = this.reference(domain.toOne[name] as string);
    if (domain.name === 'Category' && random.chance(0.3)) row['parent'] = this.reference('Category');
    if (partial && domain.name === 'Article' && random.chance(0.2))
      row['labels'] = random.some(this.labels(), 2).map((code) => ({ code, weight: random.below(3) }));
    if (partial && domain.name === 'Article' && random.chance(0.15))
      row['comments'] = [{ text: 'x', stars: random.below(4) }];
    return row;
  }

  private reference(target: string): Json {
    const { random } = this;
    if (random.chance(0.15)) return null;
    if (target === 'Author') return { id: random.pick(UUIDS) };
    return { id: 1 + random.below(target === 'Category' ? 6 : 14) };
  }

  private changes(domain: EntityDomain): JsonObject {
    const { random } = this;
    const set: Mutable = {};
    const names = Object.keys(domain.columns).filter((name) => !domain.key.includes(name));
    for (const name of random.some(names, 2))
      this.put(set, name, this.valueOrNull(domain.columns[name] as ColumnDomain));
    const relations = Object.keys(domain.toOne).filter(
      (name) => name !== 'parent' || domain.name === 'Category',
    );
    if (relations.length > 0 && random.chance(0.3)) {
      const name = random.pick(relations);
      set[name] = this.reference(domain.toOne[name] as string);
    }
    return set;
  }

  private put(row: Mutable, name: string, value: Json): void {
    const [outer, inner] = name.split('.') as [string, string | undefined];
    row[outer] = inner === undefined ? value : { ...(row[outer] as JsonObject | undefined), [inner]: value };
  }

  private value(column: ColumnDomain): Json {
    return valueOf(this.random, column, this.kind);
  }

  private valueOrNull(column: ColumnDomain): Json {
    return column.nullable && this.random.chance(0.2) ? null : this.value(column);
  }

  /** Mostly by key; a broad condition now and then. */
  private narrow(domain: EntityDomain): Json {
    const { random } = this;
    if (random.chance(0.5)) return this.key(domain);
    const where = this.reads.ownWhere(domain);
    if (Object.keys(where).length === 0) return this.key(domain);
    return where;
  }

  private parameters(): JsonObject {
    const { random } = this;
    const article = domainOf('Article').columns;
    const value = (name: string): Json => this.value(article[name] as ColumnDomain);
    return {
      id: 1 + random.below(14),
      other: 1 + random.below(14),
      category: 1 + random.below(6),
      toCategory: random.chance(0.15) ? null : 1 + random.below(6),
      author: random.pick(UUIDS),
      number: random.below(4),
      title: value('title'),
      slug: value('slug'),
      status: value('status'),
      price: value('price'),
      label: random.pick(this.labels()),
      scope: random.pick((domainOf('Setting').columns['scope'] as ColumnDomain).values),
    };
  }
}
