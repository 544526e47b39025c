// Everything that needs the agent, as one chunk: `const chain = await loadChain()`.
export { callQuery, callUpdate, ChainUnavailable, Principal, type Certified, type Stage, type Target } from './agent';
export { shownBlock, verifyBlock, type VerifiedBlock } from './log';
export * from '@/lib/identity/keys';
export { accountOf, log, some } from '@/lib/contracts/common';
export { cooperative } from '@/lib/contracts/cooperative';
export { cooperatives } from '@/lib/contracts/cooperatives';
export { jobs } from '@/lib/contracts/jobs';
export { ledger } from '@/lib/contracts/ledger';
export { registry } from '@/lib/contracts/registry';
