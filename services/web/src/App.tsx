import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { Suspense } from "react";
import { Route, Router, Switch } from "wouter";
import { queryClient } from "./api/services";
import { aroundNav } from "./components/leaving";
import { NoticesProvider } from "./components/notices";
import { PageFailure } from "./components/PageFailure";
import { Loading } from "./components/states";
import { LiveProvider } from "./live/LiveProvider";
import { NotFoundPage } from "./pages/NotFoundPage";
import { routes } from "./routes";
import { LoggedIn } from "./session/LoggedIn";
import { Shell } from "./shell/Shell";
import { theme } from "./theme";

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <QueryClientProvider client={queryClient}>
        <LiveProvider>
          <NoticesProvider>
            <Router aroundNav={aroundNav}>
              <Shell>
                <LoggedIn>
                  <Pages />
                </LoggedIn>
              </Shell>
            </Router>
          </NoticesProvider>
        </LiveProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}

function Pages() {
  return (
    <Switch>
      {routes.map(({ path, page: Page }) => (
        <Route key={path} path={path}>
          {(params) => (
            <PageFailure key={JSON.stringify(params)}>
              <Suspense fallback={<Loading />}>
                <Page params={params as Record<string, string>} />
              </Suspense>
            </PageFailure>
          )}
        </Route>
      ))}
      <Route component={NotFoundPage} />
    </Switch>
  );
}
