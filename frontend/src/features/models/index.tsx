// Models: one model and its owners, asking it for answers, proposing what its owners vote on.
export { ModelPage } from './ModelPage';
export { ProposePage } from './ProposePage';
