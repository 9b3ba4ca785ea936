import { Link, Route, Switch } from "wouter";
import { SystemProvider, useSystem } from "./api/system";
import { Logo } from "./components/icons";
import { NoticesProvider } from "./components/notices";
import { JobPage } from "./pages/JobPage";
import { JobsPage } from "./pages/JobsPage";
import { NotFoundPage } from "./pages/NotFoundPage";
import { RunPage } from "./pages/RunPage";

export function App() {
  return (
    <SystemProvider>
      <NoticesProvider>
        <a className="skip-link" href="#content">
          Skip to the content
        </a>
        <Header />
        <main id="content" tabIndex={-1}>
          <Switch>
            <Route path="/" component={JobsPage} />
            <Route path="/jobs/:id">{({ id }) => <JobPage key={id} jobId={id} />}</Route>
            <Route path="/executions/:id">{({ id }) => <RunPage key={id} executionId={id} />}</Route>
            <Route component={NotFoundPage} />
          </Switch>
        </main>
      </NoticesProvider>
    </SystemProvider>
  );
}

function Header() {
  const { version } = useSystem();
  return (
    <header className="masthead">
      <div className="masthead-inner">
        <Link href="/" className="brand">
          <Logo />
          <span>dcron</span>
        </Link>
        <nav aria-label="Main">
          <Link href="/" className={(active) => (active ? "tab tab-active" : "tab")}>
            Jobs
          </Link>
        </nav>
        {version && <span className="version">{version}</span>}
      </div>
    </header>
  );
}
