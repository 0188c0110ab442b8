// Reads what stands in `deploy/` into the types of those who will read it, strictly: a field that they do not know, or know otherwise,
// is an error.
//
//     manifests kubernetes DIR...    renders each kustomization and prints its objects, a JSON list per DIR
//     manifests dashboard FILE       a dashboard of Grafana
//     manifests compose FILE         a compose file, with all of its profiles
package main

import (
    "context"
    "encoding/json"
    "fmt"
    "os"

    "github.com/compose-spec/compose-go/v2/cli"
    "github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
    "github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
    if err := run(os.Args[1:]); err != nil {
        fmt.Fprintln(os.Stderr, err)
        os.Exit(1)
    }
}

func run(arguments []string) error {
    if len(arguments) < 2 {
        return fmt.Errorf("usage: manifests kubernetes|dashboard|compose PATH...")
    }
    switch kind, paths := arguments[0], arguments[1:]; kind {
    case "kubernetes":
        return kubernetes(paths)
    case "dashboard":
        return grafana(paths[0])
    case "compose":
        return compose(paths[0])
    default:
        return fmt.Errorf("no such kind: %s", kind)
    }
}

// All directories are decoded before they are looked at together: one may need what another one has.
func kubernetes(directories []string) error {
    all := map[string][]*object{}
    for _, directory := range directories {
        objects, err := render(directory)
        if err != nil {
            return fmt.Errorf("%s: %w", directory, err)
        }
        all[directory] = objects
    }
    for _, directory := range directories {
        if err := check(all[directory], all); err != nil {
            return fmt.Errorf("%s: %w", directory, err)
        }
    }
    for _, directory := range directories {
        var typed []any
        for _, object := range all[directory] {
            typed = append(typed, object.typed)
        }
        text, err := json.Marshal(typed)
        if err != nil {
            return err
        }
        fmt.Println(string(text))
    }
    return nil
}

func grafana(path string) error {
    text, err := os.ReadFile(path)
    if err != nil {
        return err
    }
    plugins.RegisterDefaultPlugins()
    var board dashboard.Dashboard
    for _, err := range []error{board.UnmarshalJSONStrict(text), board.Validate()} {
        // An empty list of errors is not nil.
        if err != nil && err.Error() != "" {
            return fmt.Errorf("%s: %w", path, err)
        }
    }
    fmt.Printf("%d panels\n", len(board.Panels))
    return nil
}

func compose(path string) error {
    options, err := cli.NewProjectOptions([]string{path}, cli.WithProfiles([]string{"*"}), cli.WithName("cairn"))
    if err != nil {
        return err
    }
    project, err := options.LoadProject(context.Background())
    if err != nil {
        return err
    }
    text, err := project.MarshalJSON()
    if err != nil {
        return err
    }
    fmt.Println(string(text))
    return nil
}
