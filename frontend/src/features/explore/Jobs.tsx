// Jobs: everybody's, or the viewer's own.
import { Button, Select } from '@mantine/core';
import { Link } from 'react-router';
import { JobsTable } from '@/components/JobsTable';
import { PageHead } from '@/components/layout';
import { Pages, PAGE_SIZE, useFilters } from '@/components/Pages';
import { SignInFirst } from '@/components/SignInFirst';
import { Empty, Shown } from '@/components/states';
import { useJobs, type JobFilter } from '@/lib/api/jobs';
import { words } from '@/lib/format';
import css from './explore.module.css';

const STATES = ['proposed', 'approved', 'funded', 'claimed', 'running', 'submitted', 'settled', 'denied', 'expired', 'cancelled', 'failed'];
const compose = <Button component={Link} to="/jobs/new">Compose a job</Button>;

export function JobsPage() {
  return (
    <>
      <PageHead title="Jobs" lead="Training that somebody has proposed. A job starts only when every owner whose data it names has agreed." actions={compose} />
      <JobList empty={<Empty title="No job has been proposed yet" action={compose}>A job names datasets, a recipe and a budget. Owners, or their policies, decide.</Empty>} />
    </>
  );
}

export function MyJobsPage() {
  return (
    <>
      <PageHead title="My jobs" lead="Jobs you have proposed." actions={compose} />
      <SignInFirst why="Your jobs are those that your key, or an API token of yours, has proposed.">
        {(principal) => <JobList builder={principal} empty={<Empty title="You have proposed no job" action={compose}>Choose datasets and a recipe here, or use the Python client with an API token.</Empty>} />}
      </SignInFirst>
    </>
  );
}

function JobList({ builder, empty }: { builder?: string; empty: React.ReactNode }) {
  const { page, get, set } = useFilters();
  const state = get('state');
  const filter: JobFilter = { page, page_size: PAGE_SIZE };
  if (state) filter.state = state;
  if (builder) filter.builder = builder;
  const query = useJobs(filter);
  return (
    <>
      <div role="search" className={css.filters}>
        <Select label="State" placeholder="any" clearable data={STATES.map((value) => ({ value, label: words(value) }))} value={state ?? null} onChange={(value) => set('state', value)} w={190} />
      </div>
      <Shown query={query} what="jobs">
        {(data) =>
          data.count === 0 ? (
            state ? <Empty title="No job is in this state" /> : empty
          ) : (
            <>
              <JobsTable jobs={data.results} label="Jobs" />
              <Pages count={data.count} page={page} onPage={(next) => set('page', next)} />
            </>
          )
        }
      </Shown>
    </>
  );
}
