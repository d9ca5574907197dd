import type { DatabaseKind } from '../support/databases.js';
import { operator, type Json, type JsonObject, type ReadOperation } from './operations.js';
import type { Random } from './random.js';
import {
  canAsk,
  domainOf,
  ENTITIES,
  valueOf,
  valuesOf,
  type ColumnDomain,
  type EntityDomain,
} from './schema.js';

type Mutable = Record<string, Json>;

/** Reads of every kind that TypeORM knows, over small domains, so that they meet the writes. */
export class ReadGenerator {
  constructor(
    private readonly random: Random,
    private readonly kind: DatabaseKind,
  ) {}

  next(): ReadOperation {
    const { random } = this;
    const domain = random.weighted(ENTITIES.map((entity) => [entity.weight, entity] as const));
    const [how, args] = random.weighted<() => [string, Json]>([
      [30, () => ['find', this.findOptions(domain)]],
      [8, () => ['findOne', this.findOptions(domain, true)]],
      [10, () => ['findOneBy', this.keyOrWhere(domain)]],
      [10, () => ['findBy', this.where(domain, 1)]],
      [4, () => ['findAndCount', this.findOptions(domain)]],
      [8, () => ['count', { where: this.where(domain, 1), ...this.deleted(domain) }]],
      [4, () => ['exists', { where: this.where(domain, 1), ...this.deleted(domain) }]],
      [6, () => ['aggregate', this.aggregate(domain)]],
      [14, () => ['query', { name: random.below(1000), p: this.parameters() }]],
      [2, () => ['lazy', this.where(domainOf('Comment'), 0)]],
      [
        3,
        () => [
          'tree',
          { entity: random.pick(['Topic', 'Folder']), way: random.below(5), id: 1 + random.below(7) },
        ],
      ],
      [2, () => ['byKeys', this.findOptions(domain)]],
    ])();
    return { kind: 'read', how, entity: domain.name, args, process: random.below(2) };
  }

  /** A condition for `update()`, `delete()` and their like: columns of the entity itself. */
  ownWhere(domain: EntityDomain): JsonObject {
    const { random } = this;
    return this.columnConditions(domain, random.some(Object.keys(domain.columns), 2));
  }

  private findOptions(domain: EntityDomain, one = false): JsonObject {
    const { random } = this;
    const options: Mutable = { order: this.order(domain) };
    if (one || random.chance(0.85)) options['where'] = this.where(domain, 1);
    if (random.chance(0.4)) options['relations'] = this.relations(domain);
    if (random.chance(0.25)) options['select'] = this.selection(domain, options);
    if (!one && random.chance(0.3)) options['take'] = random.below(6) + 1;
    if (!one && random.chance(0.15))
      Object.assign(options, { skip: random.below(3), take: random.below(4) + 1 });
    return { ...options, ...this.deleted(domain) };
  }

  private deleted({ softDelete }: EntityDomain): JsonObject {
    return softDelete && this.random.chance(0.15) ? { withDeleted: true } : {};
  }

  private keyOrWhere(domain: EntityDomain): Json {
    if (this.random.chance(0.3)) return this.where(domain, 1);
    return Object.fromEntries(
      domain.key.map((key) => [key, this.asked(domain.columns[key] as ColumnDomain)]),
    );
  }

  private where(domain: EntityDomain, depth: number): Json {
    const { random } = this;
    if (random.chance(0.1)) return [this.conjunction(domain, depth), this.conjunction(domain, depth)];
    return this.conjunction(domain, depth);
  }

  private conjunction(domain: EntityDomain, depth: number): JsonObject {
    const { random } = this;
    const where: Mutable = {};
    if (random.chance(0.8))
      Object.assign(where, this.columnConditions(domain, random.some(Object.keys(domain.columns), 3)));
    const relations = { ...domain.toOne, ...domain.toMany };
    const names = Object.keys(relations);
    if (names.length === 0 || !random.chance(Object.keys(where).length ? 0.25 : 0.8)) return where;
    const name = random.pick(names);
    const target = domainOf(relations[name] as string);
    where[name] = this.relationCondition(target, name in domain.toOne, depth);
    return where;
  }

  private relationCondition(target: EntityDomain, toOne: boolean, depth: number): Json {
    const { random } = this;
    if (toOne && random.chance(0.15)) return operator('IsNull');
    if (toOne && target.key.length === 1 && random.chance(0.4)) {
      const key = target.key[0] as string;
      return { [key]: this.asked(target.columns[key] as ColumnDomain) };
    }
    if (depth > 0 && random.chance(0.2)) return this.conjunction(target, depth - 1);
    return this.columnConditions(target, random.some(Object.keys(target.columns), 2));
  }

  private columnConditions(domain: EntityDomain, names: readonly string[]): JsonObject {
    const where: Record<string, Json> = {};
    for (const name of names) {
      const column = domain.columns[name] as ColumnDomain;
      if (!canAsk(column.family, this.kind) || column.family === 'opaque') continue;
      const [outer, inner] = name.split('.') as [string, string | undefined];
      const condition = this.condition(column);
      where[outer] =
        inner === undefined ? condition : { ...(where[outer] as JsonObject | undefined), [inner]: condition };
    }
    return where;
  }

  private condition(column: ColumnDomain): Json {
    const { random } = this;
    if (column.nullable && random.chance(0.12))
      return random.chance(0.7) ? operator('IsNull') : operator('Not', operator('IsNull'));
    if (column.family === 'json')
      return operator('JsonContains', random.pick<Json>([{ a: 1 }, { b: ['x'] }, [1]]));
    if (column.family === 'list') {
      return operator(
        random.pick(['ArrayContains', 'ArrayContainedBy', 'ArrayOverlap']),
        random.pick(column.values),
      );
    }
    if (random.chance(0.55)) return this.asked(column);
    const value = (): Json => this.asked(column);
    const makers: (() => Json)[] = [
      () => operator('Equal', value()),
      () => operator('Not', value()),
      () => operator('In', ...random.some(valuesOf(column, this.kind), random.chance(0.15) ? 10 : 3)),
      () => operator('Not', operator('In', ...random.some(valuesOf(column, this.kind), 2))),
      () => operator('Or', operator('Equal', value()), operator('Equal', value())),
      () => operator('RawEqual', value()),
    ];
    if (this.kind === 'postgres' && column.family === 'number')
      makers.push(() => operator('Any', ...random.some(valuesOf(column, this.kind), 3)));
    if (column.family === 'number' || column.family === 'moment') makers.push(...this.comparisons(value));
    if (column.family === 'text') {
      const pattern = (): Json => random.pick(['a%', '%x%', '_', 'B%', '%e']);
      makers.push(
        () => operator('Like', pattern()),
        () => operator('ILike', pattern()),
        () => operator('Not', operator('Like', pattern())),
      );
    }
    return random.pick(makers)();
  }

  private comparisons(value: () => Json): (() => Json)[] {
    return [
      () => operator('LessThan', value()),
      () => operator('LessThanOrEqual', value()),
      () => operator('MoreThan', value()),
      () => operator('MoreThanOrEqual', value()),
      () => operator('Between', value(), value()),
      () => operator('And', operator('MoreThanOrEqual', value()), operator('LessThanOrEqual', value())),
      () => operator('RawLess', value()),
    ];
  }

  private asked(column: ColumnDomain): Json {
    const { random } = this;
    return column.asked?.length && random.chance(0.3)
      ? random.pick(column.asked)
      : valueOf(random, column, this.kind);
  }

  /** Ends with the key, so that the order is total and pages are the same twice. */
  private order(domain: EntityDomain): JsonObject {
    const { random } = this;
    const order: Mutable = {};
    const sortable = Object.keys(domain.columns).filter(
      (name) =>
        !['json', 'list', 'opaque'].includes((domain.columns[name] as ColumnDomain).family) &&
        !name.includes('.'),
    );
    if (random.chance(0.4)) order[random.pick(sortable)] = random.pick(['ASC', 'DESC']);
    for (const key of domain.key) order[key] ??= 'ASC';
    return order;
  }

  private relations(domain: EntityDomain): JsonObject {
    const { random } = this;
    const all = { ...domain.toOne, ...domain.toMany };
    const names = Object.keys(all).filter((name) => domain.name !== 'Comment' || name !== 'author');
    if (names.length === 0) return {};
    return Object.fromEntries(
      random.some(names, 2).map((name) => {
        const deeper = Object.keys(domainOf(all[name] as string).toOne);
        const nested = deeper.length > 0 && all[name] !== 'Comment' && random.chance(0.25);
        return [name, nested ? { [random.pick(deeper)]: true } : true];
      }),
    );
  }

  /** TypeORM pages by the columns of the order, which must then be selected. */
  private selection(domain: EntityDomain, { relations, order }: JsonObject): JsonObject {
    const { random } = this;
    const select: Mutable = {};
    for (const name of [
      ...Object.keys(order as JsonObject),
      ...random.some(Object.keys(domain.columns), 3),
    ]) {
      const [outer, inner] = name.split('.') as [string, string | undefined];
      select[outer] =
        inner === undefined ? true : { ...(select[outer] as JsonObject | undefined), [inner]: true };
    }
    for (const name of Object.keys(relations ?? {})) select[name] = true;
    return select;
  }

  private aggregate(domain: EntityDomain): Json {
    const { random } = this;
    const numbers = Object.keys(domain.columns).filter(
      (name) => (domain.columns[name] as ColumnDomain).family === 'number' && !name.includes('.'),
    );
    if (numbers.length === 0)
      return { of: 'stars', way: 'sum', where: this.ownWhere(domainOf('Comment')), entity: 'Comment' };
    return {
      of: random.pick(numbers),
      way: random.pick(['sum', 'average', 'minimum', 'maximum']),
      where: this.where(domain, 0),
    };
  }

  /** Values for the queries of `queries.ts`. */
  private parameters(): JsonObject {
    const { random } = this;
    const article = domainOf('Article').columns;
    const pick = (name: string): Json => valueOf(random, article[name] as ColumnDomain, this.kind);
    return {
      category: 1 + random.below(6),
      article: 1 + random.below(14),
      author: random.pick((domainOf('Author').columns['id'] as ColumnDomain).values),
      label: random.pick((domainOf('Label').columns['code'] as ColumnDomain).values),
      title: pick('title'),
      slug: pick('slug'),
      status: pick('status'),
      price: pick('price'),
      number: random.below(4),
      ids: random.some([1, 2, 3, 4, 5, 6], 3),
      flag: random.chance(0.5),
    };
  }
}
