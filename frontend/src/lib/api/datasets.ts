// Endpoints of datasets, uploads and wrapped keys.
import { queryOptions, useQuery } from '@tanstack/react-query';
import { api, queryString } from './client';
import type { Dataset, DatasetSummary, Page, UploadState } from './types';

export interface DatasetFilter {
  search?: string;
  owner?: string;
  state?: string;
  decision?: string;
  page?: number;
  page_size?: number;
}
export const datasetsQuery = (filter: DatasetFilter) =>
  queryOptions({ queryKey: ['datasets', filter], queryFn: ({ signal }) => api<Page<DatasetSummary>>(`datasets${queryString({ ...filter })}`, { signal }) });
export const useDatasets = (filter: DatasetFilter) => useQuery(datasetsQuery(filter));

export const datasetQuery = (id: number) =>
  queryOptions({ queryKey: ['dataset', id], queryFn: ({ signal }) => api<Dataset>(`datasets/${id}`, { signal }) });
export const useDataset = (id: number) => useQuery(datasetQuery(id));

export const datasetKeysQuery = (id: number) =>
  queryOptions({
    queryKey: ['dataset', id, 'keys'],
    queryFn: ({ signal }) => api<{ version: number; worker: string }[]>(`datasets/${id}/keys`, { signal, signedIn: true }),
  });

/** Keeps public bytes. Their address is their hash. */
export const keepBlob = (body: Uint8Array, signal?: AbortSignal) =>
  api<{ sha256: string; size_bytes: number }>('blobs', { method: 'POST', body, signedIn: true, signal });

/** Announces a sealed file; the same manifest again says which chunks are still missing. */
export const announceUpload = (manifest: unknown, signal?: AbortSignal) =>
  api<UploadState>('uploads', { method: 'POST', json: { manifest }, signedIn: true, signal });

export const sendChunk = (manifestHash: string, index: number, body: Uint8Array, signal?: AbortSignal) =>
  api<{ missing: number[] }>(`uploads/${manifestHash}/chunks/${index}`, { method: 'PUT', body, signedIn: true, signal });

export const keepWrappedKey = (dataset: number, version: number, worker: string, body: Uint8Array) =>
  api<undefined>(`datasets/${dataset}/versions/${version}/keys/${worker}`, { method: 'PUT', body, signedIn: true });
