import { dependenciesOf, type Dependencies } from '../core/dependencies.js';
import { bindRead, withUntold, type StatementAnalysis } from '../sql/index.js';
import type { TypeOrmCatalog } from './catalog.js';

/** What the result of a statement depends on, or in words why that cannot be told. */
export function dependenciesOfRead(
  analysis: StatementAnalysis,
  params: readonly unknown[],
  catalog: TypeOrmCatalog,
  tags: readonly string[] = [],
): Dependencies | string {
  if (analysis.kind !== 'read') return `not a plain read (${analysis.kind})`;
  if (analysis.uncacheable !== undefined) return analysis.uncacheable;
  const reads = bindRead(analysis, params, catalog).map((read) =>
    withUntold(read, catalog.get(read.table)?.columns ?? new Map()),
  );
  return dependenciesOf(reads, tags);
}
