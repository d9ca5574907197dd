import type { DataSource, EntityMetadata, QueryRunner } from 'typeorm';
import type { Codec } from '../core/lookup.js';
import type { ReadPlan } from './read-door.js';

/** What is cached of a query that asks for entities. */
export interface GraphPlan extends ReadPlan {
  readonly metadata: EntityMetadata;
  readonly codec: Codec<object[]>;
  /** `afterLoad` runs on what is handed out. */
  readonly listens: boolean;
}

/** Runs `afterLoad` on a graph, as TypeORM does on what it has just hydrated. */
export async function broadcastLoad(
  { metadata, listens }: Pick<GraphPlan, 'metadata' | 'listens'>,
  entities: object[],
  runner: () => QueryRunner,
): Promise<void> {
  if (entities.length === 0 || !listens || !hasLoadListeners(metadata.dataSource)) return;
  const { broadcaster } = runner() as unknown as {
    broadcaster: { broadcast(event: 'Load', metadata: EntityMetadata, entities: object[]): Promise<void> };
  };
  await broadcaster.broadcast('Load', metadata, entities);
}

const listening = new WeakMap<DataSource, boolean>();

/** The listeners of entities are fixed once the metadata is built; subscribers come and go. */
function hasLoadListeners(dataSource: DataSource): boolean {
  let entities = listening.get(dataSource);
  if (entities === undefined) {
    entities = dataSource.entityMetadatas.some((metadata) => metadata.afterLoadListeners.length > 0);
    listening.set(dataSource, entities);
  }
  return entities || dataSource.subscribers.some((subscriber) => 'afterLoad' in subscriber);
}
