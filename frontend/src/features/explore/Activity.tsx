// What happened, from the logs of all canisters: newest first, each with its block.
import { Link } from 'react-router';
import { When } from '@/components/facts';
import { HowDoWeKnow } from '@/components/HowDoWeKnow';
import { PageHead, Section } from '@/components/layout';
import { Pages, PAGE_SIZE, useFilters } from '@/components/Pages';
import { Empty, Shown } from '@/components/states';
import { DatasetName, Person } from '@/components/Thread';
import { useActivity } from '@/lib/api/network';
import type { Activity } from '@/lib/api/types';
import css from './explore.module.css';

export function ActivityPage() {
  const { page, get, set } = useFilters();
  const principal = get('principal');
  const query = useActivity({ page, page_size: PAGE_SIZE, ...(principal ? { principal } : {}) });
  return (
    <>
      <PageHead title="Activity" lead={principal ? <>What <Person principal={principal} /> had a part in.</> : 'Everything that the chain has recorded, newest first.'} />
      <Shown query={query} what="activity">
        {(data) =>
          data.count === 0 ? (
            <Empty title="Nothing has happened yet">The first registration, job or payment will be here.</Empty>
          ) : (
            <Section title="Blocks" note={`${data.count} in all`}>
              <ol className={css.events}>
                {data.results.map((event) => (
                  <Event key={`${event.canister}/${event.index}`} event={event} />
                ))}
              </ol>
              <Pages count={data.count} page={page} onPage={(next) => set('page', next)} />
            </Section>
          )
        }
      </Shown>
    </>
  );
}

function Event({ event }: { event: Activity }) {
  return (
    <li>
      <When ns={event.at_ns} />
      <div>
        <div>
          <EventTitle event={event} />
        </div>
        <div className={css.who}>
          {event.dataset_id !== null && <DatasetName id={event.dataset_id} />}
          {event.principals.slice(0, 4).map((principal) => (
            <Person key={principal} principal={principal} />
          ))}
        </div>
      </div>
      <HowDoWeKnow compact proof={{ canister: event.canister, block: event.index }} of={event.title} />
    </li>
  );
}

function EventTitle({ event }: { event: Activity }) {
  const to =
    event.model && event.proposal_id !== null
      ? `/models/${event.model}/proposals/${event.proposal_id}`
      : event.model
        ? `/models/${event.model}`
        : event.job_id !== null
          ? `/jobs/${event.job_id}`
          : event.dataset_id !== null
            ? `/datasets/${event.dataset_id}`
            : null;
  return to ? <Link to={to}>{event.title}</Link> : <>{event.title}</>;
}
