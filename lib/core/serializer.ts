import { Packr, RESERVE_START_SPACE, RESET_BUFFER_MODE, Unpackr } from 'msgpackr';
import { CacheOpsSerializationError } from '../cacheops.errors.js';
import type { ClassRegistry } from './class-registry.js';
import { revive } from './serializer.escape.js';
import { StoreWalk } from './serializer.walk.js';

/** The value codec. What `decode(encode(x))` returns is equal to `x` and shares no mutable object with it. */
export interface Serializer {
  /** @throws CacheOpsSerializationError if the value would not come back equal; `path` says where. */
  encode(value: unknown): Buffer;
  /** @throws CacheOpsSerializationError if the bytes are not a complete value of this codec. */
  decode(bytes: Buffer): unknown;
}

export interface SerializerOptions {
  /** Classes whose instances may be stored; all others are refused. */
  readonly classes?: ClassRegistry;
}

/** First byte: the format, and whether the value holds escapes. A reader of another format sees a miss. */
const PLAIN = 0x31;
const ESCAPED = 0x32;

const PACKR_OPTIONS = {
  useRecords: true,
  moreTypes: true,
  useBigIntExtension: true,
  useToJSON: false,
  copyBuffers: true,
} as const;

/**
 * MessagePack with records, each buffer complete in itself, so that any process can decode it.
 *
 * Comes back exactly: `undefined`, `null`, booleans, every number (-0, NaN, Infinity), bigints of any size, strings
 * (lone surrogates too), Date to the millisecond (Invalid Date too), Buffer, ArrayBuffer, DataView and typed arrays,
 * RegExp, Map, Set, arrays (holes too), plain objects with their key order, objects without a prototype, and
 * instances of registered classes. An object that occurs twice comes back as two equal objects; frozen objects come
 * back unfrozen. Everything else is refused: functions, symbols, accessors, other instances, cycles.
 */
export function createSerializer(options: SerializerOptions = {}): Serializer {
  const { classes } = options;
  const packr = new Packr({ ...PACKR_OPTIONS });
  const unpackr = new Unpackr({ ...PACKR_OPTIONS });

  const encode = (value: unknown): Buffer => {
    const walk = new StoreWalk(classes);
    const storable = walk.visit(value);
    const packed = packr.pack(storable, RESERVE_START_SPACE | RESET_BUFFER_MODE | 1);
    packed[0] = walk.escaped ? ESCAPED : PLAIN;
    // The packed bytes are a window on msgpackr's scratch buffer: the next encode writes over them.
    const bytes = Buffer.allocUnsafeSlow(packed.length);
    packed.copy(bytes);
    return bytes;
  };

  const decode = (bytes: Buffer): unknown => {
    if (bytes[0] !== PLAIN && bytes[0] !== ESCAPED) {
      throw new CacheOpsSerializationError(
        'value',
        'The stored bytes are not of a format that this version reads',
      );
    }
    try {
      const value: unknown = unpackr.unpack(bytes, { start: 1 });
      return bytes[0] === ESCAPED ? revive(value, classes) : value;
    } catch (error) {
      if (error instanceof CacheOpsSerializationError) throw error;
      throw new CacheOpsSerializationError('value', 'The stored bytes cannot be decoded', { cause: error });
    }
  };

  return { encode, decode };
}
