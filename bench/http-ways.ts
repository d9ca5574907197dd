/** How a route of the benchmark answers. */
export type HttpWay = 'constant' | 'object' | 'near' | 'shared' | 'theirs in memory' | 'theirs in Redis';
