import { nearValues } from '../core/kept-value.js';
import type { Codec } from '../core/lookup.js';
import type { Serializer } from '../core/serializer.js';

type Row = Record<string, unknown>;

/** Raw rows as the driver returned them. Drivers give rows classes of their own, which mean nothing: they are copied. */
export function rowsCodec(serializer: Serializer): Codec<readonly Row[]> {
  const decode = (payload: Buffer) => serializer.decode(payload) as readonly Row[];
  return {
    encode(rows) {
      try {
        return serializer.encode(rows.map((row) => ({ ...row })));
      } catch {
        // A driver value that cannot be stored (a geometry object, say) makes the query uncached, never wrong.
        return undefined;
      }
    },
    decode,
    near: nearValues(decode),
  };
}
