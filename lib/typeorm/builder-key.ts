import type { EntityMetadata } from 'typeorm';
import { keyPart, type KeyRules } from '../core/cache-key.js';
import type { Internals } from './builder-internals.js';

/** A plan under a longer text would cost more memory than its statement costs time. */
const LONGEST = 2_000;

/** Properties of a builder that do not decide about its statement, or that are looked at by themselves. */
const APART: ReadonlySet<string> = new Set(['dataSource', 'queryRunner', 'expressionMap']);

/** A property as a new builder has it. */
interface Untouched {
  readonly value: unknown;
  readonly isEmptyList: boolean;
  readonly text: string | undefined;
}

/** Without a text, which most properties are not worth. */
const isAsNew = (value: unknown, { value: untouched, isEmptyList }: Untouched): boolean =>
  (value === untouched && typeof value !== 'object') ||
  (isEmptyList && Array.isArray(value) && value.length === 0);

type Members = Readonly<Record<string, unknown>>;

/**
 * Texts for builders: equal texts, equal statements and parameters.
 *
 * TypeORM makes a statement of what the builder and its expression map hold, of the entities and of the driver. Of the
 * first two the text has every property that is not as in a new builder, whatever it is called. What holds anything
 * but plain data has no text: a join, a subquery, a parameter that is a function.
 */
export class BuilderKeys {
  private readonly entities = new Map<EntityMetadata, number>();
  private untouched: readonly [builder: Map<string, Untouched>, map: Map<string, Untouched>] | undefined;
  private readonly rules: KeyRules = { ordered: true, instance: (value, part) => this.alias(value, part) };

  /** @returns `undefined`: the builder has to be asked for its statement */
  of(builder: Internals): string | undefined {
    const [ownOfBuilder, ownOfMap] = (this.untouched ??= this.surveyed(builder));
    const map = this.touched(builder.expressionMap as unknown as Members, ownOfMap);
    const rest = map === undefined ? undefined : this.touched(builder as unknown as Members, ownOfBuilder);
    if (map === undefined || rest === undefined) return undefined;
    return map.length + rest.length > LONGEST ? undefined : `builder:${map}|${rest}`;
  }

  private surveyed({ dataSource }: Internals): NonNullable<BuilderKeys['untouched']> {
    const fresh = dataSource.createQueryBuilder() as unknown as Internals;
    return [this.survey(fresh), this.survey(fresh.expressionMap)];
  }

  private survey(subject: object): Map<string, Untouched> {
    const members: [string, unknown][] = Object.entries(subject);
    return new Map(
      members.map(([name, value]) => {
        const isEmptyList = Array.isArray(value) && value.length === 0;
        return [name, { value, isEmptyList, text: keyPart(value, this.rules) }];
      }),
    );
  }

  private touched(members: Members, untouched: ReadonlyMap<string, Untouched>): string | undefined {
    let text = '';
    for (const name of Object.keys(members)) {
      if (APART.has(name)) continue;
      const value = members[name];
      const known = untouched.get(name);
      if (known !== undefined && isAsNew(value, known)) continue;
      const part = keyPart(value, this.rules);
      if (part === undefined) return undefined;
      if (known === undefined || part !== known.text) text += `${name.length}:${name}${part}`;
    }
    return text;
  }

  /** Which entity under which name. */
  private alias(value: object, part: (value: unknown) => string | undefined): string | undefined {
    const { _metadata: metadata, ...rest } = value as { readonly _metadata?: EntityMetadata };
    if (metadata === undefined) return undefined;
    let id = this.entities.get(metadata);
    if (id === undefined) this.entities.set(metadata, (id = this.entities.size));
    const text = part(rest);
    return text && `A${id}${text}`;
  }
}
