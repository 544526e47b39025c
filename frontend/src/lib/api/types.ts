// What the REST API answers. Hashes and blobs are lower-case hex, principals text, 64-bit numbers decimal text.
// tests/browser/test_types.py holds these to the API's own schema.
export type * from './types/accounts';
export type * from './types/datasets';
export type * from './types/jobs';
export type * from './types/models';
export type * from './types/network';
export type * from './types/shared';
