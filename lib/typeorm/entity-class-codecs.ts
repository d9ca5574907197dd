import type { EntityMetadata } from 'typeorm';
import { CacheOpsSerializationError } from '../cacheops.errors.js';
import type { ClassCodec } from '../core/class-registry.js';
import type { ObservedDataSource } from './observed-data-source.js';

/**
 * Codecs with which values that the application stores may hold entities. The name carries the fingerprint of the
 * schema, so that code with other entities does not read them.
 */
export function entityClassCodecs({ dataSource, name, door }: ObservedDataSource): readonly ClassCodec[] {
  const { entityCodec, fingerprint } = door.shared;
  return dataSource.entityMetadatas.flatMap((metadata) => {
    if (typeof metadata.target !== 'function') return [];
    return {
      target: metadata.target as ClassCodec['target'],
      name: `${fingerprint}:${name}:${metadata.name}`,
      encode: (entity) => entityCodec.encode(metadata, [entity]) ?? refuse(metadata),
      decode: (data) => entityCodec.decode(metadata, data as Buffer)[0] as object,
    };
  });
}

function refuse({ name }: EntityMetadata): never {
  throw new CacheOpsSerializationError(
    name,
    `This ${name} holds something that would not come back equal: store plain data instead`,
  );
}
