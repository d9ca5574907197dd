/** What an entity is compared by: its class or its name. An `EntitySchema` stands for the class it has, or its name. */
export function entityNameOf(entity: unknown): unknown {
  const options = (entity as { options?: { target?: unknown; name?: unknown } }).options;
  return typeof options?.name === 'string' ? (options.target ?? options.name) : entity;
}
