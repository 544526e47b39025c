// The inbox: jobs that ask for the viewer's data, nearest deadline first.
import { Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { PageHead } from '@/components/layout';
import { SignInFirst } from '@/components/SignInFirst';
import { Empty, Shown } from '@/components/states';
import { Link } from 'react-router';
import { requestsQuery } from '@/lib/api/jobs';
import { OneRequest } from './OneRequest';

export function RequestsPage() {
  return (
    <>
      <PageHead title="Requests" lead="Jobs that ask for your data and wait for your word. Without it, nothing happens." />
      <SignInFirst why="Requests are for the owner of the data: your key shows which are yours.">{(principal) => <Inbox principal={principal} />}</SignInFirst>
    </>
  );
}

function Inbox({ principal }: { principal: string }) {
  const query = useQuery(requestsQuery(principal));
  return (
    <Shown query={query} what="requests">
      {(data) =>
        data.results.length === 0 ? (
          <Empty title="Nothing waits for you" action={<Link to="/my/datasets">See your datasets</Link>}>
            A request comes here when somebody proposes a job with your data and your policy says that it asks you.
          </Empty>
        ) : (
          <Stack>
            {data.results.map((job) => job.waiting.map((approval) => <OneRequest key={`${job.id}/${approval.dataset_id}`} summary={job} approval={approval} />))}
          </Stack>
        )
      }
    </Shown>
  );
}
