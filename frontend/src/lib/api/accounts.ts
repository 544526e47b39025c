// Endpoints of people: their money, their API tokens, and the sign-in that some endpoints ask for.
import { queryOptions, useQuery } from '@tanstack/react-query';
import { api, queryString } from './client';
import type { AccountSummary, ActiveApiToken, ApiToken, Earnings, NewApiToken, Page, Transfer } from './types';

export const accountQuery = (principal: string) =>
  queryOptions({ queryKey: ['account', principal], queryFn: ({ signal }) => api<AccountSummary>(`accounts/${principal}`, { signal }) });
export const useAccount = (principal: string) => useQuery(accountQuery(principal));

export const earningsQuery = (principal: string) =>
  queryOptions({
    queryKey: ['account', principal, 'earnings'],
    queryFn: ({ signal }) => api<Earnings>(`accounts/${principal}/earnings`, { signal }),
    refetchInterval: 15_000,
  });
export const useEarnings = (principal: string) => useQuery(earningsQuery(principal));

export const transfersQuery = (principal: string, page: number) =>
  queryOptions({
    queryKey: ['account', principal, 'transfers', page],
    queryFn: ({ signal }) => api<Page<Transfer>>(`accounts/${principal}/transfers${queryString({ page })}`, { signal }),
  });

export const tokensQuery = (principal: string | null) =>
  queryOptions({
    queryKey: ['tokens', principal],
    queryFn: ({ signal }) => api<Page<ApiToken>>('tokens?page_size=100', { signal, signedIn: true }),
    enabled: principal !== null,
  });

export const createToken = (name: string, targets: string[]) => api<NewApiToken>('tokens', { method: 'POST', json: { name, targets }, signedIn: true });
export const activateToken = (id: number, delegation: unknown) =>
  api<ActiveApiToken>(`tokens/${id}/activate`, { method: 'POST', json: { delegation }, signedIn: true });
export const revokeToken = (id: number) => api<undefined>(`tokens/${id}`, { method: 'DELETE', signedIn: true });

export interface Challenge {
  challenge: string;
  message: string;
  expires_at_ns: string;
}
export const askChallenge = (principal: string) => api<Challenge>('auth/challenge', { method: 'POST', json: { principal } });

export interface SignInProof {
  principal: string;
  challenge: string;
  public_key: string;
  signature: string;
  delegations: unknown[];
  root_public_key?: string;
}
export const signIn = (proof: SignInProof) =>
  api<{ session: string; principal: string; expires_at_ns: string }>('auth/sign-in', { method: 'POST', json: proof });
