// Votes: one proposal, and those that wait for the viewer.
export { ProposalPage } from './ProposalPage';
export { VotesPage } from './VotesPage';
