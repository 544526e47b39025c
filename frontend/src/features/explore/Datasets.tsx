// Datasets to browse: whose, what about, and what one may do with each.
import { Button, Select, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { Link } from 'react-router';
import { Amount, State, When } from '@/components/facts';
import { PageHead } from '@/components/layout';
import { Pages, PAGE_SIZE, useFilters } from '@/components/Pages';
import { SignInFirst } from '@/components/SignInFirst';
import { Empty, Shown } from '@/components/states';
import { Person, paint } from '@/components/Thread';
import { useDatasets, type DatasetFilter } from '@/lib/api/datasets';
import type { DatasetSummary } from '@/lib/api/types';
import { formatUnits } from '@/lib/format';
import { datasetThread } from '@/lib/thread';
import css from './explore.module.css';

const DECISIONS = [
  { value: 'AutoApprove', label: 'Approves by itself' },
  { value: 'Ask', label: 'Asks its owner' },
  { value: 'Deny', label: 'Denies' },
];

export function DatasetsPage() {
  return (
    <>
      <PageHead
        title="Datasets"
        lead="Data whose owners decide, on the chain, what it may be used for. Nobody else can read it or change that."
        actions={<Button component={Link} to="/datasets/new">Register a dataset</Button>}
      />
      <DatasetList empty={<Empty title="No dataset is registered here yet" action={<Button component={Link} to="/datasets/new">Register the first one</Button>}>Drop a CSV: it is described and encrypted in your browser, and you set what it may be used for.</Empty>} />
    </>
  );
}

export function MyDatasetsPage() {
  return (
    <>
      <PageHead title="My datasets" lead="What you have registered, and what it may be used for." actions={<Button component={Link} to="/datasets/new">Register a dataset</Button>} />
      <SignInFirst why="Your datasets are those that your key has registered.">
        {(principal) => (
          <DatasetList
            owner={principal}
            empty={<Empty title="You have not registered a dataset" action={<Button component={Link} to="/datasets/new">Register a dataset</Button>}>It is encrypted before it leaves your browser. Only your key can say who may use it.</Empty>}
          />
        )}
      </SignInFirst>
    </>
  );
}

function DatasetList({ owner, empty }: { owner?: string; empty: React.ReactNode }) {
  const { page, get, set } = useFilters();
  const filter: DatasetFilter = { page, page_size: PAGE_SIZE };
  const [search, decision, state] = [get('search'), get('decision'), get('state')];
  if (search) filter.search = search;
  if (decision) filter.decision = decision;
  if (state) filter.state = state;
  if (owner) filter.owner = owner;
  const query = useDatasets(filter);
  const filtered = Boolean(search ?? decision ?? state);
  const typed = useDebouncedCallback((text: string) => set('search', text || null), 250);
  return (
    <>
      <div role="search" className={css.filters}>
        <TextInput type="search" label="Search" placeholder="title, task, owner" defaultValue={search ?? ''} onChange={(event) => typed(event.currentTarget.value)} w={{ base: '100%', xs: 280 }} />
        <Select label="A request is" placeholder="any" clearable data={DECISIONS} value={decision ?? null} onChange={(value) => set('decision', value)} w={190} />
        <Select label="State" placeholder="any" clearable data={[{ value: 'active', label: 'Active' }, { value: 'withdrawn', label: 'Withdrawn' }]} value={state ?? null} onChange={(value) => set('state', value)} w={150} />
      </div>
      <Shown query={query} what="datasets">
        {(data) =>
          data.count === 0 ? (
            filtered ? <Empty title="No dataset fits these filters">Take one of them away.</Empty> : empty
          ) : (
            <>
              <ul className={css.grid} aria-label="Datasets">
                {data.results.map((dataset) => (
                  <li key={dataset.id}>
                    <DatasetCard dataset={dataset} />
                  </li>
                ))}
              </ul>
              <Pages count={data.count} page={page} onPage={(next) => set('page', next)} />
            </>
          )
        }
      </Shown>
    </>
  );
}

function DatasetCard({ dataset }: { dataset: DatasetSummary }) {
  return (
    <article className={css.card}>
      <div {...paint(datasetThread(dataset.id), css.strip)} aria-hidden />
      <h2>
        <Link to={`/datasets/${dataset.id}`}>{dataset.title}</Link>
      </h2>
      <div>
        <Person principal={dataset.owner} />
      </div>
      <p className={css.sentence} style={{ margin: 0 }}>
        {dataset.policy?.sentence ?? 'Its owner has set no policy, so nothing is allowed.'}
      </p>
      <div>
        {dataset.state === 'withdrawn' ? <State of="withdrawn" /> : <State of={dataset.policy?.decision ?? 'Deny'} />}
      </div>
      <footer>
        <span>{formatUnits(dataset.row_count, 'row')}</span>
        {dataset.columns !== null && <span>{formatUnits(dataset.columns, 'column')}</span>}
        {dataset.task && <span>{dataset.task}</span>}
        {dataset.policy && <span>{dataset.policy.price_e8s === '0' ? 'free' : <><Amount e8s={dataset.policy.price_e8s} /> a job</>}</span>}
        <span>{formatUnits(dataset.uses, 'use')}</span>
        <When ns={dataset.registered_at_ns} />
      </footer>
    </article>
  );
}
