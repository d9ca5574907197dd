type Method = (...args: unknown[]) => unknown;

/** Puts something around a decorated method, and keeps its name and what other decorators have left on it. */
export function wrapMethod(descriptor: PropertyDescriptor, around: (run: () => unknown) => unknown): void {
  const method = descriptor.value as Method;
  const wrapped = function (this: unknown, ...args: unknown[]): unknown {
    return around(() => method.apply(this, args));
  };
  Object.defineProperty(wrapped, 'name', { value: method.name, configurable: true });
  // Metadata is looked for along prototypes.
  descriptor.value = Object.setPrototypeOf(wrapped, method) as unknown;
}
