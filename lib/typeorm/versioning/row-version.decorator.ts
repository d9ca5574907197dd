import { VirtualColumn } from 'typeorm';

const ROW_VERSION = Symbol('cacheops.rowVersion');

/**
 * Property decorator for tables of PostgreSQL that cannot have a version column: the property shows the system column
 * `xmin`, which changes with every change of the row, whoever makes it. The property is a text.
 *
 * `xmin` is not kept by a dump, nor by logical replication: what was read before is stale after them.
 */
export const RowVersion = (): PropertyDecorator => (target, property) => {
  VirtualColumn({ type: 'varchar', query: (alias) => `CAST(${alias}.xmin AS text)` })(target, property);
  Object.defineProperty(target.constructor, ROW_VERSION, { value: property });
};

/** Name of the property with `@RowVersion()`. */
export const rowVersionOf = (target: unknown): string | undefined =>
  typeof target === 'function'
    ? (target as { [ROW_VERSION]?: string } & typeof target)[ROW_VERSION]
    : undefined;
