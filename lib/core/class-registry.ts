/** How the instances of one class are stored: `encode` gives storable data, `decode` a new instance from it. */
export interface ClassCodec<T extends object = object> {
  readonly target: abstract new (...args: never[]) => T;
  /** Stored with each value, so it must be the same in every process and stay the same over deployments. */
  readonly name: string;
  encode(instance: T): unknown;
  decode(data: unknown): T;
}

/** Class codecs by exact class and by stored name; subclasses need codecs of their own. */
export interface ClassRegistry {
  byPrototype(prototype: object): ClassCodec | undefined;
  byName(name: string): ClassCodec | undefined;
}

/** Types one class codec: `classCodec({ target: Money, name: 'Money', encode: (m) => m.cents, decode: … })`. */
export function classCodec<T extends object>(codec: ClassCodec<T>): ClassCodec {
  return codec;
}

/** @throws RangeError if a class or a name is registered twice. */
export function createClassRegistry(codecs: readonly ClassCodec[]): ClassRegistry {
  const prototypes = new Map<object, ClassCodec>();
  const names = new Map<string, ClassCodec>();
  for (const codec of codecs) {
    const prototype = codec.target.prototype as object;
    if (prototypes.has(prototype)) throw new RangeError(`The class ${codec.target.name} has two codecs`);
    if (names.has(codec.name))
      throw new RangeError(`Two class codecs are named ${JSON.stringify(codec.name)}`);
    prototypes.set(prototype, codec);
    names.set(codec.name, codec);
  }
  return { byPrototype: (prototype) => prototypes.get(prototype), byName: (name) => names.get(name) };
}

/** A registry that classes are added to as they become known. */
export class GrowingClassRegistry implements ClassRegistry {
  private readonly prototypes = new Map<object, ClassCodec>();
  private readonly names = new Map<string, ClassCodec>();

  /** Of two codecs for one class the first one writes, and both read. */
  add(codec: ClassCodec): void {
    const prototype = codec.target.prototype as object;
    if (!this.prototypes.has(prototype)) this.prototypes.set(prototype, codec);
    this.names.set(codec.name, codec);
  }

  byPrototype(prototype: object): ClassCodec | undefined {
    return this.prototypes.get(prototype);
  }

  byName(name: string): ClassCodec | undefined {
    return this.names.get(name);
  }
}
