import type { ColumnFacts, RelationFacts, SqlCatalog, SqlDialect, ValueClass } from '../../lib/sql/index.js';

const CLASSES: Readonly<Record<string, ValueClass>> = {
  i: 'integer',
  d: 'decimal',
  b: 'boolean',
  u: 'uuid',
  t: 'text',
  ts: 'timestamp',
  o: 'opaque',
};

/** `column:class` per table; `test/sql-live` checks them against TypeORM's metadata. */
const TABLES: Readonly<Record<string, string>> = {
  category: 'id:i name:t visible:b parent_id:i',
  actor: 'id:i name:t',
  detail: 'id:i text:t',
  film:
    'id:i title:t visible:b price:d year_made:i ratingScore:i ratingVotes:i category_id:i detail_id:i ' +
    'created_at:ts updated_at:ts deleted_at:ts version:i',
  film_actor: 'film_id:i actor_id:i',
  review: 'film_id:i seq:i author:t stars:i',
  person: 'id:u name:t kind:t salary:i points:i',
  section: 'id:i name:t parentId:i',
  section_closure: 'id_ancestor:i id_descendant:i',
  topic: 'id:i name:t mpath:t parentId:i',
  genre: 'id:i name:t nsleft:i nsright:i parentId:i',
};

function columns(text: string): ReadonlyMap<string, ColumnFacts> {
  return new Map(
    text.split(' ').map((column) => {
      const [name, letter] = column.split(':') as [string, string];
      return [name, { name, valueClass: CLASSES[letter] as ValueClass }];
    }),
  );
}

export const RELATIONS: readonly RelationFacts[] = [
  ...Object.entries(TABLES).map(([id, text]): RelationFacts => ({
    id,
    kind: 'table',
    columns: columns(text),
  })),
  { id: 'film_stat', kind: 'view', columns: columns('category_id:i films:i'), dependsOn: ['film'] },
  { id: 'film_top', kind: 'view', columns: columns('category_id:i'), dependsOn: ['film_stat', 'category'] },
  { id: 'dark_view', kind: 'view', columns: columns('id:i') },
];

/** The schema of the fixtures as the analyser sees it. */
export function schemaOf(dialect: SqlDialect): SqlCatalog {
  const byId = new Map(RELATIONS.map((relation) => [relation.id, relation]));
  const fold = (name: string) => (dialect === 'postgres' ? name : name.toLowerCase());
  return {
    dialect,
    relations: RELATIONS,
    get: (id) => byId.get(id),
    find: (path) =>
      path.length === 1 || path[0] === 'public' ? byId.get(fold(path.at(-1) as string)) : undefined,
  };
}
