// Endpoints about the network itself and what happens on it.
import { queryOptions, useQuery } from '@tanstack/react-query';
import { api, queryString } from './client';
import type { Activity, Network, Page } from './types';

export const networkQuery = queryOptions({
  queryKey: ['network'],
  queryFn: ({ signal }) => api<Network>('network', { signal }),
  refetchInterval: 15_000,
});
export const useNetwork = () => useQuery(networkQuery);

/** The symbol of the network's token; a neutral word until it is known. */
export const useSymbol = (): string => useNetwork().data?.token.symbol ?? 'tokens';

export interface ActivityFilter {
  canister?: string;
  principal?: string;
  page?: number;
  page_size?: number;
}
export const activityQuery = (filter: ActivityFilter) =>
  queryOptions({ queryKey: ['activity', filter], queryFn: ({ signal }) => api<Page<Activity>>(`activity${queryString({ ...filter })}`, { signal }) });
export const useActivity = (filter: ActivityFilter) => useQuery(activityQuery(filter));
