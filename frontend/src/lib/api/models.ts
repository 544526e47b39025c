// Endpoints of models, their proposals and votes.
import { queryOptions, useQuery } from '@tanstack/react-query';
import { api, queryString } from './client';
import type { Model, ModelSummary, OpenVote, Page, Proposal, ProposalState, ProposalSummary } from './types';

export interface ModelFilter {
  owner?: string;
  job_id?: number;
  page?: number;
  page_size?: number;
}
export const modelsQuery = (filter: ModelFilter) =>
  queryOptions({ queryKey: ['models', filter], queryFn: ({ signal }) => api<Page<ModelSummary>>(`models${queryString({ ...filter })}`, { signal }) });
export const useModels = (filter: ModelFilter) => useQuery(modelsQuery(filter));

export const modelQuery = (canister: string) =>
  queryOptions({ queryKey: ['model', canister], queryFn: ({ signal }) => api<Model>(`models/${canister}`, { signal }) });
export const useModel = (canister: string) => useQuery(modelQuery(canister));

export const proposalsQuery = (canister: string) =>
  queryOptions({
    queryKey: ['model', canister, 'proposals'],
    queryFn: ({ signal }) => api<Page<ProposalSummary>>(`models/${canister}/proposals?page_size=100`, { signal }),
  });
export const useProposals = (canister: string) => useQuery(proposalsQuery(canister));

const OPEN: readonly ProposalState[] = ['voting', 'adopted', 'installing'];
/** True while something can still happen to a proposal. */
export const isOpen = (state: ProposalState): boolean => OPEN.includes(state);

export const proposalQuery = (canister: string, id: number) =>
  queryOptions({
    queryKey: ['model', canister, 'proposal', id],
    queryFn: ({ signal }) => api<Proposal>(`models/${canister}/proposals/${id}`, { signal }),
    refetchInterval: (query) => (query.state.data && !isOpen(query.state.data.state) ? false : 5_000),
  });
export const useProposal = (canister: string, id: number) => useQuery(proposalQuery(canister, id));

/** Votes that wait for the person who is signed in. */
export const votesQuery = (principal: string | null) =>
  queryOptions({
    queryKey: ['votes', principal],
    queryFn: ({ signal }) => api<Page<OpenVote>>('votes?page_size=100', { signal, signedIn: true }),
    enabled: principal !== null,
    refetchInterval: 15_000,
  });
