import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { SqlAnalyser, type Conjunction, type Operand, type StatementAnalysis } from '../../lib/sql/index.js';
import type { Lookup } from '../../lib/core/lookup.js';
import type { ReadQuery } from '../../lib/typeorm/read-door.js';
import type { TableFacts, TypeOrmCatalog } from '../../lib/typeorm/catalog.js';
import type { StatementLog } from '../support/statement-log.js';
import { Causes } from './causes.js';
import type { Operation } from './operations.js';
import { describe } from './describe.js';
import type { Observer } from './run-trace.js';
import { SeedConditions } from './seed-conditions.js';
import {
  matches,
  SeedRules,
  type Condition,
  type Row as SeedRow,
  type SeedDependency,
} from './seed-rules.js';
import type { Process, World } from './world.js';

/** How well a set of rules did on a trace. */
export interface Score {
  hits: number;
  misses: number;
  /** Misses of results that had been stored and came out the same again. */
  needless: number;
  /** Hits of results that had changed: zero, or the rules were not told of all that happened. */
  stale: number;
}

export interface Scores {
  readonly ours: Score;
  readonly seed: Score;
}

type RawRow = Readonly<Record<string, unknown>>;

interface Row {
  /** All of it, opaque columns too. */
  readonly text: string;
  readonly values: SeedRow;
}

const newScore = (): Score => ({ hits: 0, misses: 0, needless: 0, stale: 0 });

/**
 * Counts the misses that were needless, ours and those that the rules of django-cacheops would have cost on the same
 * reads and writes. What a write did is seen in the rows before and after it.
 */
export class Precision implements Observer {
  private readonly ours = newScore();
  private readonly seed = newScore();
  private readonly digests = new Map<string, string>();
  private readonly dependencies = new Map<string, readonly SeedDependency[]>();
  private readonly rows = new Map<string, ReadonlyMap<string, Row>>();
  private readonly rules = new SeedRules();
  private readonly conditions: SeedConditions;
  private readonly catalog: TypeOrmCatalog;
  private readonly analyser: SqlAnalyser;
  private readonly children = new Map<string, Set<string>>();
  readonly causes = new Causes();

  constructor(private readonly world: World) {
    const [first] = world.processes as readonly [Process];
    this.catalog = first.observed.catalog;
    this.analyser = new SqlAnalyser(this.catalog);
    this.conditions = new SeedConditions(first.dataSource, this.catalog, world.options.kind);
    this.collectChildren(first.dataSource);
    for (const process of world.processes) this.watch(process);
  }

  /** What was counted so far. */
  scores(): Scores {
    return { ours: { ...this.ours }, seed: { ...this.seed } };
  }

  beforeWrite(operation: Operation): void {
    this.causes.begin(operation);
  }

  async afterWrite(process: Process, isSimple: boolean): Promise<void> {
    const statements = writesOf(process.log, this.analyser);
    const tables = new Set<string>();
    for (const { analysis } of statements) this.touch(analysis, tables);
    for (const table of tables) {
      const facts = this.catalog.get(table);
      if (!facts) continue;
      const before = this.rows.get(table) ?? new Map<string, Row>();
      const after = await this.load(process, facts);
      this.rows.set(table, after);
      const named = isSimple ? statements.flatMap((statement) => this.named(statement, facts)) : [];
      this.rules.written(table, writtenRows(before, after, named), (key) => this.causes.seedDrops(key));
    }
    for (const { log } of this.world.processes) log.clear();
  }

  private watch({ observed, services }: Process): void {
    const { door } = observed;
    const decide = door.decide.bind(door);
    door.decide = (subject, connection, query) => {
      let asked: ReadQuery | undefined;
      const decision = decide(subject, connection, () => (asked = query()));
      if ('key' in decision && asked) this.learn(decision.key, asked.sql, asked.params);
      return decision;
    };
    let isHit = false;
    services.instrumentation.subscribe((event) => {
      if (event.type === 'hit' || event.type === 'miss') isHit = event.type === 'hit';
      if (event.type === 'invalidate') this.causes.restamped(event.tokens);
      if (event.type === 'store') this.causes.store(event.key);
      if (event.type === 'refuse') this.causes.refuse(event.key, event.reason);
    });
    const getOrSet = services.cache.getOrSet.bind(services.cache);
    services.cache.getOrSet = async <T>(lookup: Lookup<T>): Promise<T> => {
      const cause = this.causes.of(lookup.key, lookup.dependencies.tokens);
      const value = await getOrSet(lookup);
      this.count(lookup.key, value, isHit, cause);
      return value;
    };
  }

  private learn(key: string, sql: string, params: readonly unknown[]): void {
    if (this.dependencies.has(key)) return;
    this.dependencies.set(key, this.conditions.of(sql, params));
  }

  private count(key: string, value: unknown, isHit: boolean, cause: string): void {
    const digest = createHash('sha1').update(describe(value)).digest('base64');
    const isSame = this.digests.get(key) === digest;
    tally(this.ours, isHit, isSame);
    const isSeedHit = this.rules.has(key);
    tally(this.seed, isSeedHit, isSame);
    if (isSame && !isHit) this.causes.needless(cause);
    if (isSame && !isSeedHit) this.causes.seedNeedless(key);
    if (!isSeedHit) this.rules.store(key, this.dependencies.get(key) ?? []);
    this.digests.set(key, digest);
  }

  private touch(analysis: StatementAnalysis, tables: Set<string>): void {
    if (analysis.kind === 'opaque') for (const { id } of this.catalog.relations) tables.add(id);
    if (analysis.kind === 'write') for (const { table } of analysis.effects) this.reach(table, tables);
  }

  private reach(table: string, tables: Set<string>): void {
    if (tables.has(table)) return;
    tables.add(table);
    for (const child of this.children.get(table) ?? []) this.reach(child, tables);
  }

  /** Rows that a statement names by their key: saved by it, though nothing in them may have changed. */
  private named({ analysis, params }: LoggedWrite, { id, primaryColumns }: TableFacts): readonly Condition[] {
    if (analysis.kind !== 'write') return [];
    const conditions = analysis.effects
      .filter(({ table }) => table === id)
      .flatMap(({ where = [], rows = [] }) => [...where, ...rows.map((row) => keyOf(row, primaryColumns))]);
    return this.conditions
      .bind(id, conditions, params)
      .filter((condition) => primaryColumns.every((column) => condition.has(column)));
  }

  private collectChildren(dataSource: DataSource): void {
    for (const metadata of dataSource.entityMetadatas) {
      for (const { referencedEntityMetadata } of metadata.foreignKeys) {
        const parent = this.catalog.idOf(referencedEntityMetadata);
        this.children.set(parent, (this.children.get(parent) ?? new Set()).add(this.catalog.idOf(metadata)));
      }
    }
  }

  private async load(process: Process, facts: TableFacts): Promise<ReadonlyMap<string, Row>> {
    const { sqlName, primaryColumns } = facts;
    const rows = await this.world.uncached(process, (m) => m.query<RawRow[]>(`SELECT * FROM ${sqlName}`));
    const imageOf = (raw: RawRow): Row => ({
      text: describe({ ...raw }),
      values: this.conditions.row(facts.id, raw),
    });
    return new Map(
      rows.map((raw) => [JSON.stringify(primaryColumns.map((name) => raw[name])), imageOf(raw)]),
    );
  }
}

interface LoggedWrite {
  readonly analysis: StatementAnalysis;
  readonly params: readonly unknown[];
}

function writesOf({ statements, parameters }: StatementLog, analyser: SqlAnalyser): readonly LoggedWrite[] {
  return statements.flatMap((sql, i) => {
    if (/^\s*SELECT\b/i.test(sql)) return [];
    return [{ analysis: analyser.analyse(sql), params: parameters[i] ?? [] }];
  });
}

const keyOf = (row: ReadonlyMap<string, Operand>, columns: readonly string[]): Conjunction =>
  columns.flatMap((column) => {
    const operand = row.get(column);
    return operand ? [{ column, operand }] : [];
  });

/** Rows that came, went, changed or were named, as they were and as they are. */
function writtenRows(
  before: ReadonlyMap<string, Row>,
  after: ReadonlyMap<string, Row>,
  named: readonly Condition[],
): readonly SeedRow[] {
  const found: SeedRow[] = [];
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [old, now] = [before.get(key), after.get(key)];
    const isNamed = old && named.some((condition) => matches(old.values, condition));
    if (old?.text === now?.text && !isNamed) continue;
    if (old) found.push(old.values);
    if (now) found.push(now.values);
  }
  return found;
}

function tally(score: Score, isHit: boolean, isSame: boolean): void {
  if (isHit) score.hits++;
  else score.misses++;
  if (!isHit && isSame) score.needless++;
  if (isHit && !isSame) score.stale++;
}

export function addScores(all: readonly Scores[]): Scores {
  const total = { ours: newScore(), seed: newScore() };
  for (const scores of all) {
    for (const who of ['ours', 'seed'] as const) {
      for (const count of ['hits', 'misses', 'needless', 'stale'] as const)
        total[who][count] += scores[who][count];
    }
  }
  return total;
}

/** Needless misses among the misses. */
export const needlessShare = ({ misses, needless }: Score): number => needless / Math.max(1, misses);

/** The scores as a table for the log. */
export function scoreTable(name: string, { ours, seed }: Scores): string {
  const row = (who: string, cells: readonly unknown[]): string =>
    [who.padEnd(10), ...cells.map((cell) => String(cell).padStart(8))].join(' ');
  const line = (who: string, score: Score): string => {
    const { hits, misses, needless, stale } = score;
    const share = `${(100 * needlessShare(score)).toFixed(1)} %`;
    return row(who, [hits + misses, hits, misses, needless, share, stale]);
  };
  const head = row('', ['reads', 'hits', 'misses', 'needless', 'share', 'stale']);
  return [name, head, line('ours', ours), line('cacheops', seed)].join('\n');
}
