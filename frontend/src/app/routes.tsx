// Which address shows which page. Each page is a chunk of its own, loaded when it is first visited.
import type { ComponentType } from 'react';
import { Navigate, type RouteObject } from 'react-router';
import { RouteFailed, Unknown } from './RouteFailed';
import { Shell } from './Shell';

type Module = Record<string, unknown>;

/** Loads a page's chunk and takes one component out of it. */
const page = (path: string, load: () => Promise<Module>, name: string): RouteObject => ({
  path,
  lazy: async () => ({ Component: (await load())[name] as ComponentType }),
});

const explore = () => import('@/features/explore');
const datasets = () => import('@/features/datasets');
const jobs = () => import('@/features/jobs');
const models = () => import('@/features/models');

export const routes: RouteObject[] = [
  {
    element: <Shell />,
    errorElement: <RouteFailed />,
    HydrateFallback: () => null,
    children: [
      {
        errorElement: <RouteFailed />,
        children: [
          { path: '/', element: <Navigate to="/datasets" replace /> },
          page('/datasets', explore, 'DatasetsPage'),
          page('/models', explore, 'ModelsPage'),
          page('/jobs', explore, 'JobsPage'),
          page('/activity', explore, 'ActivityPage'),
          page('/datasets/new', () => import('@/features/register'), 'RegisterPage'),
          page('/datasets/:id', datasets, 'DatasetPage'),
          page('/datasets/:id/policy', datasets, 'PolicyPage'),
          page('/my/datasets', explore, 'MyDatasetsPage'),
          page('/my/jobs', explore, 'MyJobsPage'),
          page('/my/models', explore, 'MyModelsPage'),
          page('/requests', () => import('@/features/requests'), 'RequestsPage'),
          page('/jobs/new', jobs, 'ComposePage'),
          page('/jobs/:id', jobs, 'JobPage'),
          page('/models/:canister', models, 'ModelPage'),
          page('/models/:canister/propose', models, 'ProposePage'),
          page('/models/:canister/proposals/:id', () => import('@/features/proposals'), 'ProposalPage'),
          page('/votes', () => import('@/features/proposals'), 'VotesPage'),
          page('/earnings', () => import('@/features/earnings'), 'MyEarningsPage'),
          page('/accounts/:principal', () => import('@/features/earnings'), 'AccountPage'),
          page('/tokens', () => import('@/features/tokens'), 'TokensPage'),
          { path: '*', element: <Unknown /> },
        ],
      },
    ],
  },
];
