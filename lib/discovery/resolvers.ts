import 'reflect-metadata';

/** Metadata that `@nestjs/graphql` puts on resolvers of operations and of fields. */
const RESOLVERS = ['graphql:resolver_type', 'graphql:resolve_property'] as const;

/** Whether GraphQL calls it: one that declares no parameters is given the four of GraphQL all the same. */
export const isResolver = (handler: object): boolean =>
  RESOLVERS.some((key) => Reflect.hasMetadata(key, handler));
