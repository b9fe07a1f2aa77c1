// Values of every kind that a caller may pass.

import fc from "fast-check";

/** Any value, and not only JSON's. @param {{ maxDepth?: number }} [limits] */
export const anyValue = (limits) =>
  fc.anything({
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withObjectString: true,
    withSparseArray: true,
    withTypedArray: true,
    ...limits,
  });
