import type { DataSource, EntityMetadata } from 'typeorm';
import type { Cache } from '../core/cache.js';
import type { Codec } from '../core/lookup.js';
import type { Refill } from '../core/refill.js';
import type { CacheContext } from '../core/cache-context.js';
import { hashText, keyPart } from '../core/cache-key.js';
import type { Dependencies } from '../core/dependencies.js';
import type { SqlAnalyser } from '../sql/index.js';
import type { TypeOrmCatalog } from './catalog.js';
import type { ObservedConnection } from './connection.js';
import type { EntityCodec } from './codec/entity-codec.js';
import type { CacheOp, Profile, Profiles } from './profiles.js';
import { dependenciesOfRead } from './read-dependencies.js';

/** What a query builder wants to read. */
export interface ReadSubject {
  readonly metadata: EntityMetadata;
  /** All entities whose tables the builder itself knows of. */
  readonly entities: readonly EntityMetadata[];
  readonly op: CacheOp;
  /** TypeORM's `cache` option: `undefined` not said, `false` never, `true` by hand. */
  readonly cache: boolean | undefined;
  /** Milliseconds from `cache(ms)`. */
  readonly duration: number | undefined;
  /** Name from `cache(id)`; becomes a tag. */
  readonly id: string | undefined;
  /** Reasons that the builder itself gives against caching (locks, a builder that serves TypeORM's own writes). */
  readonly refusal: string | undefined;
}

/** The statement of a read. */
export interface ReadQuery {
  readonly sql: string;
  readonly params: readonly unknown[];
  /** What decides about the result beside the statement. */
  readonly variant: string;
}

export interface ReadPlan {
  readonly key: string;
  readonly label: string;
  readonly dependencies: Dependencies;
  readonly ttl: number;
  readonly refill: Refill | undefined;
  readonly sql: string;
}

/** A plan, or in words why there is none. */
export type ReadDecision = ReadPlan | { readonly refusal: string };

export interface DoorContext {
  readonly dataSource: DataSource;
  readonly name: string;
  readonly cache: Cache;
  readonly context: CacheContext;
  readonly catalog: TypeOrmCatalog;
  readonly analyser: SqlAnalyser;
  readonly profiles: Profiles;
  readonly entityCodec: EntityCodec;
  readonly rowsCodec: Codec<readonly Record<string, unknown>[]>;
  /** Fingerprint of the entities: old and new code never read each other's entries. */
  readonly fingerprint: string;
}

const MAX_KNOWN_TEXTS = 2000;

/** Decides for every read whether it may be cached, under which key, and what it depends on. */
export class ReadDoor {
  private readonly textHashes = new Map<string, string>();
  /** Texts whose entity graphs could not be stored as graphs; their raw rows are cached instead. */
  private readonly graphless = new Set<string>();

  constructor(readonly shared: DoorContext) {}

  /** @param query makes the text, which is not cheap and not needed when the subject alone decides against caching */
  decide(
    subject: ReadSubject,
    connection: ObservedConnection | undefined,
    query: () => ReadQuery,
  ): ReadDecision {
    const profile = this.profileOf(subject, connection);
    if (typeof profile === 'string') return { refusal: profile };
    const { sql, params, variant } = query();
    const dependencies = this.dependencies(subject, sql, params);
    if (typeof dependencies === 'string') return { refusal: dependencies };
    const bound = keyPart(params);
    if (bound === undefined) return { refusal: 'a parameter has no canonical text' };
    const { name, fingerprint } = this.shared;
    const text = `${fingerprint}:${name}:${this.hashOf(sql)}:${variant.length}:${variant}:${bound}`;
    return {
      key: `q:${hashText(text)}`,
      label: `${subject.metadata.name}.${subject.op}`,
      dependencies,
      ttl: subject.duration ?? profile.ttl,
      refill: profile.refill,
      sql,
    };
  }

  /** Why the cache may not be used for it at this moment, whatever the statement; `undefined`: it may. */
  refusal(subject: ReadSubject, connection: ObservedConnection | undefined): string | undefined {
    const profile = this.profileOf(subject, connection);
    return typeof profile === 'string' ? profile : undefined;
  }

  hasNoGraph(sql: string): boolean {
    return this.graphless.has(sql);
  }

  setNoGraph(sql: string): void {
    if (this.graphless.size >= MAX_KNOWN_TEXTS) this.graphless.clear();
    this.graphless.add(sql);
  }

  /** Or the reason against caching. */
  private profileOf(subject: ReadSubject, connection: ObservedConnection | undefined): Profile | string {
    const { context, profiles } = this.shared;
    if (subject.cache === false) return 'the query says cache: false';
    if (subject.refusal) return subject.refusal;
    if (context.bypass) return 'read inside withoutCache() or for a write of TypeORM itself';
    if (connection?.bypass) return 'the transaction has written or reads a snapshot';
    const profile = profiles.of(subject.metadata);
    const forbidden = subject.entities.find((entity) => profiles.of(entity) === false);
    if (profile === false || forbidden)
      return `entity ${(forbidden ?? subject.metadata).name} is never cached`;
    if (subject.cache === undefined && !profile.ops.has(subject.op)) {
      return `profile of ${subject.metadata.name} does not cache '${subject.op}'`;
    }
    return profile;
  }

  private dependencies({ id }: ReadSubject, sql: string, params: readonly unknown[]): Dependencies | string {
    const { analyser, catalog } = this.shared;
    return dependenciesOfRead(analyser.analyse(sql), params, catalog, id === undefined ? [] : [id]);
  }

  private hashOf(sql: string): string {
    let hash = this.textHashes.get(sql);
    if (hash === undefined) {
      if (this.textHashes.size >= MAX_KNOWN_TEXTS) this.textHashes.clear();
      this.textHashes.set(sql, (hash = hashText(sql)));
    }
    return hash;
  }
}
