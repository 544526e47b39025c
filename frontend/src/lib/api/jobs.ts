// Endpoints of jobs: what is asked, what is decided, how training goes, what came out.
import { queryOptions, useQuery } from '@tanstack/react-query';
import { api, queryString } from './client';
import type { Job, JobRelease, JobRequest, JobState, JobSummary, KeptConfig, Page, Recipe, TrainingEvent, Worker } from './types';

export interface JobFilter {
  state?: string;
  builder?: string;
  dataset_id?: number;
  worker?: string;
  owner?: string;
  page?: number;
  page_size?: number;
}
export const jobsQuery = (filter: JobFilter) =>
  queryOptions({ queryKey: ['jobs', filter], queryFn: ({ signal }) => api<Page<JobSummary>>(`jobs${queryString({ ...filter })}`, { signal }) });
export const useJobs = (filter: JobFilter) => useQuery(jobsQuery(filter));

const MOVING: readonly JobState[] = ['proposed', 'approved', 'funded', 'claimed', 'running', 'submitted'];
/** True while something can still happen to a job. */
export const isMoving = (state: JobState): boolean => MOVING.includes(state);

export const jobQuery = (id: number) =>
  queryOptions({
    queryKey: ['job', id],
    queryFn: ({ signal }) => api<Job>(`jobs/${id}`, { signal }),
    refetchInterval: (query) => (query.state.data && !isMoving(query.state.data.state) ? false : 5_000),
  });
export const useJob = (id: number) => useQuery(jobQuery(id));

export const jobReleaseQuery = (id: number) =>
  queryOptions({ queryKey: ['job', id, 'release'], queryFn: ({ signal }) => api<JobRelease>(`jobs/${id}/release`, { signal }), staleTime: Infinity });

export const jobProgress = (id: number, signal?: AbortSignal) => api<{ events: TrainingEvent[] }>(`jobs/${id}/progress`, { signal });

/** What waits for the word of the person who is signed in. */
export const requestsQuery = (principal: string | null) =>
  queryOptions({
    queryKey: ['requests', principal],
    queryFn: ({ signal }) => api<Page<JobRequest>>('requests?page_size=100', { signal, signedIn: true }),
    enabled: principal !== null,
    refetchInterval: 15_000,
  });

export const recipesQuery = queryOptions({ queryKey: ['recipes'], queryFn: ({ signal }) => api<Recipe[]>('recipes', { signal }), staleTime: Infinity });
export const useRecipes = () => useQuery(recipesQuery);

export const workersQuery = queryOptions({ queryKey: ['workers'], queryFn: ({ signal }) => api<Worker[]>('workers', { signal }), staleTime: 60_000 });
export const useWorkers = () => useQuery(workersQuery);

/** Checks a recipe's config and keeps it: what comes back is complete, and its hash is what `job_propose` names. */
export const keepConfig = (recipe: string, config: Record<string, unknown>) =>
  api<KeptConfig>('configs', { method: 'POST', json: { recipe, config }, signedIn: true });
