// Looking around: what is registered, what was trained, what is owned, what happened. Public, except the viewer's own lists.
export { DatasetsPage, MyDatasetsPage } from './Datasets';
export { ModelsPage, MyModelsPage } from './Models';
export { JobsPage, MyJobsPage } from './Jobs';
export { ActivityPage } from './Activity';
